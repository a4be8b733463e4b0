import { AsyncToolServer, defineJob, MemoryBackend, OperationResourceStrategy } from "../../../../mod.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { createWorker } from "../../../../src/worker.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { request } from "../../support/modern.ts";
import { byName } from "../support/by_name.ts";

type Fields = Record<string, unknown>;

/** What a request of revision 2026-07-28, without a network, is answered with. */
async function ask(server: AsyncToolServer, principal: string, method: string, params: Fields): Promise<Fields> {
  const asked = request(new URL("http://localhost/mcp"), method, params);
  asked.headers.set("authorization", `Bearer ${principal}`);
  const { id: _, ...answer } = await (await server.fetch(asked)).json();
  return answer;
}

Deno.test("2026-07-28: a stranger gets the same answer for a foreign, an unknown and a malformed id, and the owner gets the task", async () => {
  const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
  const idle = defineJob({ name: "idle", input: { type: "object" } });
  const backend = new MemoryBackend();
  await using server = new AsyncToolServer({
    name: "house",
    version: "1.0.0",
    backend,
    strategy: new OperationResourceStrategy(),
    authenticate: byName,
  });
  server.registerAsyncTool(echo).registerAsyncTool(idle);
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  const start = async (name: string): Promise<string> => {
    const { result } = await ask(server, "ann", "tools/call", { name, arguments: { secret: 1 } });
    return String((result as Fields).taskId);
  };
  const ids = [await start("echo"), await start("idle"), newTaskId(), "nope"];

  for (const method of ["tasks/get", "tasks/update", "tasks/cancel"]) {
    const answers = await Promise.all(ids.map(async (taskId) => {
      const more = method === "tasks/update" ? { inputResponses: {} } : {};
      const answer = await ask(server, "bob", method, { taskId, ...more });
      return JSON.stringify(answer).replaceAll(taskId, "<id>");
    }));
    assertEquals(answers.slice(1), answers.slice(0, -1), method);
    assert(answers[0]?.includes("the id is unknown"), answers[0]);
  }
  const read = await Promise.all(ids.map(async (id) => {
    const answer = await ask(server, "bob", "resources/read", { uri: `mcp://results/echo/${id}` });
    return JSON.stringify(answer).replaceAll(id, "<id>");
  }));
  assertEquals(read.slice(1), read.slice(0, -1));

  const { result } = await ask(server, "ann", "tasks/get", { taskId: ids[1] });
  assertEquals((result as Fields).status, "working");
});

/** A server whose audit log goes to `audited`. */
function newHouse(audited: unknown[]): AsyncToolServer {
  return new AsyncToolServer({
    name: "house",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new OperationResourceStrategy(),
    audit: ({ event, operation, job, reason }) => audited.push([event, operation, job, reason]),
  });
}

Deno.test("2026-07-28: a cancel that the job does not allow is acknowledged, and is in the audit log", async () => {
  const audited: unknown[] = [];
  await using server = newHouse(audited);
  server.registerAsyncTool(defineJob({ name: "idle", input: { type: "object" } }), { cancel: false });
  const { result } = await ask(server, "ann", "tools/call", { name: "idle", arguments: {} });
  const { taskId } = result as Fields;
  const { error } = await ask(server, "ann", "tasks/cancel", { taskId });
  assertEquals(error, undefined);
  assertEquals(audited.at(-1), ["refused", "cancel", "idle", "Tasks of idle cannot be cancelled."]);
});

Deno.test("an update without answers is in the audit log", async () => {
  const audited: unknown[] = [];
  await using server = newHouse(audited);
  server.registerAsyncTool(defineJob({ name: "idle", input: { type: "object" } }));
  const { result } = await ask(server, "ann", "tools/call", { name: "idle", arguments: {} });
  const { error } = await ask(server, "ann", "tasks/update", { taskId: (result as Fields).taskId });
  assertEquals((error as Fields).code, -32602);
  assertEquals(audited.at(-1), ["refused", "answer", undefined, "Invalid params: it does not fit the schema."]);
});
