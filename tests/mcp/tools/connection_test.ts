/**
 * Tools on a connection whose revision the package does not know: whatever it says, the tools need no change.
 *
 * @module
 */
import { InMemoryTransport, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { z } from "zod";
import { createWorker, defineJob, MemoryBackend, OperationResourceStrategy } from "../../../mod.ts";
import { McpHost } from "../../../src/mcp/host.ts";
import type { Connection } from "../../../src/mcp/revision.ts";
import { bindTools } from "../../../src/mcp/tools/tools.ts";
import { ToolRegistry } from "../../../src/registry.ts";
import { openQuestions } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { assertEquals } from "../../../tools/std.ts";

const greet = defineJob({
  name: "greet",
  description: "Greets somebody in a tone that they choose",
  input: z.object({ name: z.string() }),
  run: async ({ name }, { elicit }) => {
    const answer = await elicit({ message: "Which tone?", schema: z.object({ tone: z.string() }) });
    return { name, tone: answer.action === "accept" ? answer.content.tone : "none" };
  },
});

/** An invented revision. Its clients go on with a call by `_meta.continue`, and answer every question alike. */
const REVISION: Connection = {
  subscriptions: false,
  client: () => ({ elicitation: true, urls: false, tasks: true }),
  listed: (support) => ({ runsAsTask: support }),
  taskRequest: (_, { task }) => task && { demanded: true },
  created: ({ id, job }) => ({ started: job, task: id }),
  completed: ({ structuredContent }) => ({ value: structuredContent }),
  elicit: (questions) => Promise.resolve({ result: { lacks: questions.map(({ key }) => key) } }),
  resumed: (ctx) => ctx.mcpReq._meta?.continue as string | undefined,
  answers: (task) =>
    Object.fromEntries(openQuestions(task).map(({ key }) => [key, { action: "accept", content: { tone: "warm" } }])),
  ask: (task) => ({ asks: openQuestions(task).map(({ message }) => message), task: task.id }),
};

/** A client of that revision. Each answer is the result of a request. */
async function connect(tasks: Tasks) {
  const registered = new ToolRegistry().register(greet, { askFor: { name: "Who?" } });
  const surface = new OperationResourceStrategy().expose(registered, tasks);
  const host = new McpHost({ name: "new", version: "1.0.0" }, {}, surface);
  bindTools(host.taskServer, { surface, tasks }, { owner: "ann", known: true }, REVISION);
  const [client, server] = InMemoryTransport.createLinkedPair();
  const waiting = new Map<unknown, (result: Record<string, unknown>) => void>();
  client.onmessage = (message: JSONRPCMessage) => {
    if ("result" in message) waiting.get(message.id)?.(message.result);
  };
  await host.connect(server);
  await client.start();
  let id = 0;
  const request = (method: string, params: Record<string, unknown>) => {
    const { promise, resolve } = Promise.withResolvers<Record<string, unknown>>();
    waiting.set(++id, resolve);
    client.send({ jsonrpc: "2.0", id, method, params });
    return promise;
  };
  await request("initialize", {
    protocolVersion: "2025-11-25",
    capabilities: {},
    clientInfo: { name: "a", version: "1" },
  });
  return { request, [Symbol.asyncDispose]: () => host.close() };
}

Deno.test("a new revision says in its own words what tools are listed, started, asked and answered", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  await using client = await connect(tasks);
  await using _worker = createWorker(backend, [greet]);
  const { tools } = await client.request("tools/list", {});
  assertEquals((tools as { readonly runsAsTask: string }[]).map(({ runsAsTask }) => runsAsTask), ["optional"]);
  const call = (params: Record<string, unknown>) => client.request("tools/call", { name: "greet", ...params });
  assertEquals(await call({}), { lacks: ["name"] });
  const { started, task: other } = await call({ arguments: { name: "Ada" }, task: {} });
  assertEquals([started, (await tasks.cancel(`${other}`, "ann")).status], ["greet", "CANCELLED"]);
  const { asks, task } = await call({ arguments: { name: "Eve" } });
  assertEquals(asks, ["Which tone?"]);
  assertEquals(await call({ _meta: { continue: task } }), { value: { name: "Eve", tone: "warm" } });
});
