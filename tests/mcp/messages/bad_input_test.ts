/**
 * Whatever a client sends gets a clear answer, and the server goes on.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { connectHttp, serveHttp } from "../../interop/support/client.ts";
import { Pipe } from "../support/pipe.ts";
import type { Fields, Message } from "../support/wire_message.ts";

const MIB = 1024 * 1024;

/** Checks that the server still answers, and runs a job. */
async function checkAlive(pipe: Pipe): Promise<void> {
  const { structuredContent } = await pipe.call("strict", { id: 1 });
  assertEquals(structuredContent, { id: 1 });
}

/** The text of a tool error. */
function failure({ isError, content }: Fields): string {
  assertEquals(isError, true);
  return content[0].text;
}

/** The response to a line whose request id cannot be determined. */
async function refusal(pipe: Pipe, line: string): Promise<NonNullable<Message["error"]>> {
  const before = pipe.messages.length;
  await pipe.line(line);
  const { error } = await pipe.next((message) => message.id === null && pipe.messages.indexOf(message) >= before);
  if (error === undefined) throw new Error("A line that is no message got a result.");
  return error;
}

const cases: Readonly<Record<string, (pipe: Pipe) => Promise<void>>> = {
  async "an unknown tool, even one named like a property of every object, is -32602"(pipe) {
    for (const name of ["nope", "__proto__", "constructor", "toString", "hasOwnProperty", "", "x".repeat(10_000)]) {
      const { code, message } = await pipe.error("tools/call", { name, arguments: {} });
      assertEquals(code, -32602, name);
      assert(message.length > 10, message);
    }
  },

  async "a wrong type, a missing and an extra field are tool errors that name the field"(pipe) {
    for (const tool of ["strict", "strict_json"]) {
      for (
        const [input, field] of [
          [{ id: "one" }, "id: "],
          [{}, "id: "],
          [{ id: 1, tags: ["a", 2] }, "tags[1]: "],
          [{ id: 1, more: true }, "more"],
          [{ id: 1, constructor: true }, "constructor"],
        ] as const
      ) {
        const text = failure(await pipe.call(tool, input));
        assertStringIncludes(text, `Invalid input for ${tool}: `);
        assertStringIncludes(text, field);
      }
    }
  },

  async "an argument named __proto__ is -32602; one named constructor is a field like any other"(pipe) {
    const call = async (name: string, args: string) => {
      const id = `${name} ${args}`.replaceAll('"', "");
      await pipe.line(
        `{"jsonrpc":"2.0","id":"${id}","method":"tools/call","params":{"name":"${name}","arguments":${args}}}`,
      );
      return await pipe.next((message) => message.id === id);
    };
    for (const name of ["strict_json", "measure"]) {
      const { error } = await call(name, `{"id":1,"text":"abc","__proto__":{"id":2}}`);
      assertEquals(error?.code, -32602);
      assertStringIncludes(error?.message ?? "", "a field cannot be named __proto__");
    }
    const loose = await call("measure", `{"text":"abc","constructor":1}`);
    assertEquals(loose.result?.structuredContent, { length: 3, keys: ["text", "constructor"] });
  },

  async "arguments and params that are no object are -32602"(pipe) {
    for (const args of [[], "text", 7, null]) {
      assertEquals((await pipe.error("tools/call", { name: "strict", arguments: args })).code, -32602);
    }
    assertEquals((await pipe.error("tools/call", {})).code, -32602);
    assertEquals((await pipe.error("tools/call", { name: 7 })).code, -32602);
  },

  async "params that are no object at all are -32600"(pipe) {
    for (const params of ["text", 7, null, true]) {
      assertEquals((await pipe.error("tools/call", params)).code, -32600);
    }
  },

  async "a method that is unknown, also __proto__ and constructor, is -32601"(pipe) {
    for (const method of ["nope", "__proto__", "constructor", "tools/constructor"]) {
      assertEquals((await pipe.error(method)).code, -32601, method);
    }
  },

  async "a resource URI of no task is -32602 and names the URI"(pipe) {
    const strange = ["__proto__", "constructor", "", "../../etc/passwd", "%00", "x".repeat(10_000)];
    for (
      const uri of [...strange.map((id) => `mcp://results/steps/${id}`), ...strange, "mcp://results/constructor/1"]
    ) {
      const { code, message, data } = await pipe.error("resources/read", { uri });
      assertEquals(code, -32602, uri);
      assert(message.length > 10);
      assert(uri.startsWith((data as { uri: string }).uri));
    }
  },

  async "an argument of 10 MB works where the schema allows it"(pipe) {
    const { structuredContent } = await pipe.call("measure", { text: "x".repeat(10_000_000) });
    assertEquals(structuredContent, { length: 10_000_000, keys: ["text"] });
  },

  async "an argument over the limit of a stored value is a tool error with that limit"(pipe) {
    const text = failure(await pipe.call("measure", { text: "x".repeat(16 * MIB) }));
    assertStringIncludes(text, "the most that can be stored is 16777216");
  },

  async "a line over 17 MiB is refused, and only that line, under the id of its request"(pipe) {
    const { code, message } = await refusal(pipe, `"${"x".repeat(17 * MIB)}"`);
    assertEquals(code, -32600);
    assertStringIncludes(message, "more than 17825792 bytes");
    const error = await pipe.error("tools/call", { name: "measure", arguments: { text: "x".repeat(17 * MIB) } });
    assertEquals([error.code, error.message], [code, message]);
  },

  async "a message with more than a million items is refused under the id of its request"(pipe) {
    const error = await pipe.error("tools/call", {
      name: "measure",
      arguments: { text: "", more: Array(1e6).fill(0) },
    });
    assertEquals(error.code, -32600);
    assertStringIncludes(error.message, "more than 1000000 items");
  },

  async "malformed JSON is -32700"(pipe) {
    for (const line of [`{"jsonrpc":"2.0","id":1,`, "hello", `{"a":1}}`, "\u0000"]) {
      assertEquals((await refusal(pipe, line)).code, -32700);
    }
  },

  async "a batch, and JSON that is no message, are -32600"(pipe) {
    const ping = `{"jsonrpc":"2.0","id":1,"method":"ping"}`;
    assertStringIncludes((await refusal(pipe, `[${ping},${ping}]`)).message, "batches are not supported");
    for (const line of ["[]", "7", "null", `"text"`, "{}", `{"jsonrpc":"1.0","method":"ping"}`]) {
      assertEquals((await refusal(pipe, line)).code, -32600, line);
    }
  },

  async "a message nested deeper than 256 levels is -32600, and 200 levels work"(pipe) {
    const nested = (depth: number) => `${"[".repeat(depth)}1${"]".repeat(depth)}`;
    const call = (depth: number) =>
      `{"jsonrpc":"2.0","id":"deep ${depth}","method":"tools/call","params":{"name":"measure","arguments":{"text":"abc","deep":${
        nested(depth)
      }}}}`;
    for (const depth of [254, 100_000]) {
      await pipe.line(call(depth));
      const { error } = await pipe.next((message) => message.id === `deep ${depth}`);
      assertEquals(error?.code, -32600);
      assertStringIncludes(error?.message ?? "", "nested deeper than 256 levels");
    }
    await pipe.line(call(200));
    const { result } = await pipe.next((message) => message.id === "deep 200");
    assertEquals(result?.structuredContent.length, 3);
  },

  async "empty lines, unknown notifications and answers without a request are ignored"(pipe) {
    const before = pipe.messages.length;
    await pipe.line("");
    await pipe.line("   \r");
    await pipe.send({ jsonrpc: "2.0", method: "notifications/nope" });
    await pipe.send({ jsonrpc: "2.0", id: 4711, result: {} });
    await pipe.result("ping");
    assertEquals(pipe.messages.length, before + 1);
  },

  async "a result that is not JSON is a tool error that says where"(pipe) {
    for (
      const [what, text] of [
        ["function", `its field "callback" is a function, which is not JSON`],
        ["bigint", `its field "count" is a bigint, which is not JSON`],
        ["nan", `its field "ratio" is NaN, which is not JSON`],
        ["cycle", "circular"],
      ] as const
    ) {
      assertStringIncludes(failure(await pipe.call("not_json", { what })), text);
    }
  },

  async "a result over the limit of a stored value is a tool error with that limit"(pipe) {
    assertStringIncludes(
      failure(await pipe.call("big", { size: 17 * MIB })),
      "the most that can be stored is 16777216",
    );
  },

  async "a job may throw a string, null or nothing"(pipe) {
    assertEquals(failure(await pipe.call("fail", { what: "string" })), "Failed: just a string");
    assertEquals(failure(await pipe.call("fail", { what: "null" })), "Failed: The job threw null without a message.");
    assertEquals(
      failure(await pipe.call("fail", { what: "nothing" })),
      "Failed: The job threw undefined without a message.",
    );
    assertEquals(failure(await pipe.call("fail", { what: "tool_error" })), "Failed: The card was declined.");
  },

  async "a job may return nothing"(pipe) {
    const { content, isError } = await pipe.call("nothing");
    assertEquals([content[0], isError], [{ type: "text", text: "null" }, undefined]);
  },
};

Deno.test("bad input gets a clear error over stdio, and the server goes on", async (t) => {
  await using pipe = await Pipe.open("operation");
  for (const [sentence, run] of Object.entries(cases)) {
    await t.step(sentence, async () => {
      await run(pipe);
      await checkAlive(pipe);
    });
  }
});

Deno.test("an unknown token is a tool error in every polling tool, whatever it looks like", async () => {
  await using pipe = await Pipe.open("polling");
  for (const tool of ["hold_status", "hold_result", "hold_cancel"]) {
    for (const token of ["nope", "__proto__", "constructor", "", "x".repeat(10_000)]) {
      const text = failure(await pipe.call(tool, { token }));
      assertStringIncludes(text, "the id is unknown");
      assert(text.length < 300);
    }
    for (const input of [{}, { token: 7 }, { token: "a", more: 1 }]) {
      assertStringIncludes(failure(await pipe.call(tool, input)), `Invalid input for ${tool}: `);
    }
  }
  const { structuredContent } = await pipe.call("nothing_start");
  assertEquals(structuredContent.status, "PENDING");
});

Deno.test("an argument of 10 MB works over HTTP, too", async () => {
  await using http = await serveHttp("operation");
  await using connection = await connectHttp(http.url);
  const { structuredContent } = await connection.client.callTool({
    name: "measure",
    arguments: { text: "x".repeat(10_000_000) },
  });
  assertEquals(structuredContent, { length: 10_000_000, keys: ["text"] });
});
