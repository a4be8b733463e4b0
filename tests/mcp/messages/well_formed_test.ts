/**
 * Half a character, a lone surrogate, reaches no client: Python cannot read a message that has one.
 *
 * @module
 */
import { assert, assertEquals } from "../../../tools/std.ts";
import { type Client, connect, type Revision, REVISIONS } from "../support/measured.ts";
import type { Fields } from "../support/wire_message.ts";

const SERVER = new URL("../support/ill_formed_server.ts", import.meta.url);
const INPUT = { "in \ud800": "put \udc00" };

/** The outcomes of the job `returns`. */
const RESULT = {
  given: { "in \ufffd": "put \ufffd" },
  "key \ufffd": ["\ufffd", "😀 whole"],
};

async function call(client: Client, name: string, args: Fields = INPUT): Promise<Fields> {
  const { result, error } = await client.ask("tools/call", { name, arguments: args, _meta: { progressToken: 1 } }, {});
  return result ?? { error };
}

/** Starts a task. */
async function start(client: Client, revision: Revision, name: string): Promise<string> {
  const task = revision === "2025-11-25" ? { task: {} } : {};
  const { result } = await client.ask("tools/call", { name, arguments: INPUT, ...task });
  return result?.taskId ?? result?.task.taskId;
}

for (const transport of ["http", "stdio"] as const) {
  for (const revision of REVISIONS) {
    Deno.test(`every message to a client of ${revision} over ${transport} is well-formed text`, async () => {
      await using client = await connect(transport, revision, "operation", SERVER);
      await client.ask("tools/list");
      await client.ask("resources/templates/list");
      assertEquals((await call(client, "plain", {})).content[0].text, "plain \ufffd");
      const returned = await call(client, "returns");
      assertEquals(returned.structuredContent, RESULT);
      assertEquals(JSON.parse(returned.content[0].text), RESULT);
      assertEquals((await call(client, "string")).content[0].text, "text \ufffd");
      assertEquals((await call(client, "throws")).content[0].text, "Failed: error \ufffd");
      assertEquals((await call(client, "faults")).error.message, "fault \ufffd");
      assertEquals((await call(client, "foreign")).structuredContent, { "\ufffd": "foreign \ufffd" });
      for (const name of ["returns", "throws", "faults", "foreign"]) {
        const taskId = await start(client, revision, name);
        await client.follow(taskId);
        await client.ask("tasks/get", { taskId });
        if (revision === "2025-11-25") await client.ask("tasks/result", { taskId });
        const { result } = await client.ask("resources/read", { uri: `mcp://results/${name}/${taskId}` });
        if (name === "returns") assertEquals(JSON.parse(result?.contents[0].text), RESULT);
      }
      const taskId = await start(client, revision, "asks");
      await client.follow(taskId, ["input_required"]);
      const read = async () => (await client.ask("tasks/get", { taskId })).result ?? {};
      if (revision === "2026-07-28") {
        const [[key, { params }] = ["", {}]] = Object.entries<Fields>((await read()).inputRequests);
        assertEquals(params.message, "question \ufffd");
        const inputResponses = { [key]: { action: "accept", content: { name: "Ada \ud800" } } };
        await client.ask("tasks/update", { taskId, inputResponses });
        await client.follow(taskId);
        assertEquals((await read()).result.structuredContent.content, { name: "Ada \ufffd" });
      } else await client.ask("tasks/cancel", { taskId });
      await client.ask("resources/read", { uri: "info://nowhere" });
      assertEquals(client.illFormed(), []);
      assert(client.sizes.length > 20);
    });
  }

  Deno.test(`every answer of a polling tool over ${transport} is well-formed text`, async () => {
    await using client = await connect(transport, "2025-11-25", "polling", SERVER);
    await client.ask("tools/list");
    for (const name of ["returns", "string", "throws", "faults", "foreign"]) {
      const { structuredContent: { token } } = await call(client, `${name}_start`);
      let status = "";
      while (!["COMPLETED", "FAILED"].includes(status)) {
        status = (await call(client, `${name}_status`, { token })).structuredContent.status;
      }
      const { structuredContent: { result, error } } = await call(client, `${name}_result`, { token });
      if (name === "returns") assertEquals(result, RESULT);
      if (name === "throws") assertEquals(error, "error \ufffd");
    }
    await call(client, "returns_status", { token: "\ud800" });
    assertEquals(client.illFormed(), []);
  });
}

Deno.test("a request whose id or name is not well-formed text is refused with the reason", async () => {
  await using client = await connect("stdio", "2025-11-25", "operation", SERVER);
  const { error } = await client.ask("tools/call", { name: "\ud800", arguments: {} });
  assertEquals([error?.code, error?.message.includes("its name must be well-formed text")], [-32600, true]);
  const { error: unknown } = await client.ask("resources/read", { uri: "mcp://results/returns/\ud800" });
  assertEquals([unknown?.code, unknown?.message.includes("its uri must be")], [-32600, true]);
});
