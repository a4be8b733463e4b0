/**
 * What a user adds through the official API is served beside the tools of the jobs, never hidden by them.
 *
 * @module
 */
import { type McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import {
  AsyncToolServer,
  defineJob,
  DefinitionError,
  type ExposureStrategy,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
} from "../../mod.ts";
import { assertEquals, assertRejects, assertThrows } from "../../tools/std.ts";
import { Raw } from "../mcp/http/support/raw.ts";
import { pause } from "../../src/waiting.ts";

const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });

function extended(strategy: ExposureStrategy, extension: (mcp: McpServer) => void): AsyncToolServer {
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend: new MemoryBackend(), strategy });
  return server.registerAsyncTool(echo).extend(extension);
}

function addTool(name: string): (mcp: McpServer) => void {
  return (mcp) => mcp.registerTool(name, { description: "Plain" }, () => ({ content: [] }));
}

function addResource(uri: string): (mcp: McpServer) => void {
  return (mcp) => mcp.registerResource("plain", uri, {}, () => ({ contents: [] }));
}

function addTemplate(uri: string): (mcp: McpServer) => void {
  return (mcp) =>
    mcp.registerResource("plain", new ResourceTemplate(uri, { list: undefined }), {}, () => ({ contents: [] }));
}

const operation = new OperationResourceStrategy();
const polling = new PollingExposureStrategy();

const TAKEN: readonly (readonly [string, ExposureStrategy, (mcp: McpServer) => void, string])[] = [
  ["tool with the name of a job", operation, addTool("echo"), "Cannot register echo twice"],
  ["tool with the name of a polling tool", polling, addTool("echo_start"), "Cannot register echo_start twice"],
  [
    "resource among a job's results",
    operation,
    addResource("mcp://results/echo/about"),
    "Cannot register mcp://results/echo/about: the URIs of results of a job begin with mcp://results/echo/",
  ],
  [
    "resource template among a job's results",
    operation,
    addTemplate("mcp://results/echo/{id}"),
    "Cannot register mcp://results/echo/{id}: the URIs of results of a job begin with mcp://results/echo/",
  ],
];

for (const [what, strategy, extension, message] of TAKEN) {
  Deno.test(`a plain ${what} ends the run before anything is served`, async () => {
    const onListen = () => {
      throw new Error("It serves.");
    };
    const run = () => extended(strategy, extension).run({ transport: "http", port: 0, onListen });
    await assertRejects(run, DefinitionError, message);
  });

  Deno.test(`a plain ${what} is refused with the first request, and with each after it`, async () => {
    await using server = extended(strategy, extension);
    for (const method of ["GET", "POST"]) {
      const request = new Request("http://localhost/mcp", { method });
      await assertRejects(() => server.fetch(request), DefinitionError, message);
    }
  });
}

Deno.test("a plain tool or resource whose name only resembles a job's is served", async () => {
  for (
    const [strategy, extension] of [
      [polling, addTool("echo")],
      [operation, addTool("echo_start")],
      [operation, addResource("mcp://results/echo")],
      [operation, addTemplate("mcp://results/echoes/{id}")],
    ] as const
  ) {
    await using server = extended(strategy, extension);
    assertEquals((await server.fetch(new Request("http://localhost/healthz"))).status, 200);
  }
});

Deno.test("adding a plain tool later, under a taken name, fails", async () => {
  const served: McpServer[] = [];
  await using server = extended(operation, (mcp) => served.push(mcp));
  await server.fetch(new Request("http://localhost/healthz"));
  for (const mcp of served) {
    assertThrows(() => addTool("echo")(mcp), DefinitionError, "Cannot register echo twice");
  }
  assertEquals(served.length, 1);
});

Deno.test("an async extension is refused before anything is served, and leaves nothing open", async () => {
  const gate = Promise.withResolvers<void>();
  const late = async (mcp: McpServer) => {
    await gate.promise;
    addTool("late")(mcp);
    throw new Error("Nobody waits for this.");
  };
  const message = "register without waiting";
  const onListen = () => {
    throw new Error("It serves.");
  };
  const run = () => extended(operation, late).run({ transport: "http", port: 0, onListen });
  await assertRejects(run, DefinitionError, message);
  await using embedded = extended(operation, late);
  const request = new Request("http://localhost/mcp", { method: "POST" });
  await assertRejects(() => embedded.fetch(request), DefinitionError, message);
  // A later rejection of it would end the test.
  gate.resolve();
  await pause(0);
});

Deno.test("an extension hears that its connection is closed", async () => {
  let closed = 0;
  await using server = extended(operation, (mcp) => void (mcp.server.onclose = () => closed++));
  const raw = await Raw.open(server.fetch);
  await (await raw.send({ method: "DELETE" })).body?.cancel();
  assertEquals(closed, 1);
});
