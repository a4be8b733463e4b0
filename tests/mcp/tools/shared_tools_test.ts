/**
 * What clients are told of the tools that all jobs share: as much as they may need, and no more.
 *
 * @module
 */
import { z } from "zod";
import { AdaptiveExposureStrategy, AsyncToolServer, createWorker, defineJob, MemoryBackend } from "../../../mod.ts";
import { isObject } from "../../../src/json.ts";
import { assert, assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { Raw } from "../http/support/raw.ts";
import { request, TASKS } from "../support/modern.ts";

const report = defineJob({ name: "report", description: "Makes a report", input: { type: "object" } });

function serve(): AsyncToolServer {
  const strategy = new AdaptiveExposureStrategy({ answerWithin: 0 });
  const server = new AsyncToolServer({ name: "test", version: "1.0.0", backend: new MemoryBackend(), strategy });
  return server.registerAsyncTool(report);
}

/** The tools that a client of 2026-07-28 with these capabilities is told of. */
async function toolsFor(server: AsyncToolServer, capabilities: Record<string, unknown>) {
  const response = await server.fetch(request(new URL("http://localhost/mcp"), "tools/list", {}, capabilities));
  const { result } = await response.json();
  return result.tools as readonly { readonly name: string; readonly description: string }[];
}

Deno.test("a 2025-11-25 client that declares tasks, but calls plainly, is told of the tool that its handle names", async () => {
  await using server = serve();
  // There it declares which requests of the server it takes as tasks, and nothing about its own calls.
  const client = await Raw.open(server.fetch, undefined, { tasks: { requests: { elicitation: { create: {} } } } });
  const { result } = await client.ask("tools/call", { name: "report", arguments: {} });
  assert(isObject(result.structuredContent));
  const named = /\b\w*task_status\b/.exec(String(result.structuredContent.next))?.[0];
  const { result: { tools } } = await client.ask("tools/list");
  assert(tools.some(({ name }: { readonly name: string }) => name === named), `${named} is not listed.`);
});

Deno.test("a 2026-07-28 client is told of the shared tools only if its calls cannot become tasks", async () => {
  await using server = serve();
  const [plain, others] = [await toolsFor(server, {}), await toolsFor(server, TASKS)];
  assertEquals(plain.map(({ name }) => name), ["report", "task_status", "task_cancel"]);
  assertStringIncludes(plain[0]?.description ?? "", "call task_status with it");
  assertEquals(others.map(({ name, description }) => [name, description]), [["report", "Makes a report"]]);
});

Deno.test("a caller whom nobody knows cannot call task_list: the tasks of all such callers have one owner", async () => {
  await using server = serve();
  const client = await Raw.open(server.fetch);
  const { error } = await client.ask("tools/call", { name: "task_list", arguments: {} });
  assertEquals([error?.code, error?.message], [-32602, "Unknown tool: task_list"]);
  for (const capabilities of [{}, TASKS]) {
    const call = { name: "task_list", arguments: {} };
    const response = await server.fetch(request(new URL("http://localhost/mcp"), "tools/call", call, capabilities));
    const { error } = await response.json();
    assertEquals([error?.code, error?.message], [-32602, "Unknown tool: task_list"]);
  }
});

Deno.test("a client that sends null for each optional field, as CrewAI does, starts a job and reads its task", async () => {
  const received = Promise.withResolvers<unknown>();
  const sales = defineJob({
    name: "sales",
    input: z.object({ user: z.string(), year: z.number().optional(), filter: z.string().nullable().optional() }),
    run: received.resolve,
  });
  const [backend, strategy] = [new MemoryBackend(), new AdaptiveExposureStrategy({ answerWithin: 0 })];
  await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy });
  server.registerAsyncTool(sales);
  await using _worker = createWorker(backend, [sales]);
  const client = await Raw.open(server.fetch);
  const call = async (name: string, args: Record<string, unknown>) => {
    const { result } = await client.ask("tools/call", { name, arguments: args });
    assertEquals(result.isError, undefined, JSON.stringify(result));
    return result.structuredContent;
  };
  const { token } = await call("sales", { user: "Ada", year: null, filter: null });
  assertEquals(await received.promise, { user: "Ada", filter: null });
  assertEquals((await call("task_status", { token, wait_seconds: null, page: null })).token, token);
});

Deno.test("the field that Gemini CLI adds to each call reaches only a tool whose input has a field of that name", async () => {
  const [strict, own] = [Promise.withResolvers<unknown>(), Promise.withResolvers<unknown>()];
  const input = z.strictObject({ user: z.string() });
  const jobs = [
    defineJob({ name: "strict", input, run: strict.resolve }),
    defineJob({ name: "own", input: input.extend({ wait_for_previous: z.boolean() }), run: own.resolve }),
  ];
  const [backend, strategy] = [new MemoryBackend(), new AdaptiveExposureStrategy({ answerWithin: 0 })];
  await using server = new AsyncToolServer({ name: "test", version: "1.0.0", backend, strategy });
  for (const job of jobs) server.registerAsyncTool(job);
  await using _worker = createWorker(backend, jobs);
  const client = await Raw.open(server.fetch);
  const call = async (name: string, args: Record<string, unknown>) => {
    const { result } = await client.ask("tools/call", { name, arguments: { ...args, wait_for_previous: true } });
    assertEquals(result.isError, undefined, JSON.stringify(result));
    return result.structuredContent;
  };
  const { token } = await call("strict", { user: "Ada" });
  assertEquals((await call("task_status", { token })).token, token);
  await call("own", { user: "Ada" });
  assertEquals(await strict.promise, { user: "Ada" });
  assertEquals(await own.promise, { user: "Ada", wait_for_previous: true });
});
