/**
 * Two server processes behind a proxy that passes requests on in turns, as a load balancer without sticky sessions does, with
 * an official client and on every durable backend. Whatever a client sends about a call reaches the process that does not
 * have it.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { createServer, request as outgoing } from "node:http";
import { fileURLToPath } from "node:url";
import { lines } from "../../chaos/lines.ts";
import { type Backend, createWorker, implement, type TaskInfo } from "../../mod.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { NO_RECONNECTION } from "../clients/support/typescript.ts";
import { close } from "../interop/support/client_2026.ts";
import { ToolRegistry } from "../../strategy.ts";
import { ANONYMOUS } from "../../src/mcp/peer.ts";
import { listOf } from "../../src/tasks/starting/task_keys.ts";
import { until } from "../support/processes.ts";
import { introduce, patient } from "./server.ts";
import { open } from "../crash/keyed_server.ts";
import { onEachStore } from "../crash/stores.ts";

const SCRIPT = fileURLToPath(new URL("server.ts", import.meta.url));

/** Starts a server process. Resolves with its URL. */
async function start(store: string, stack: AsyncDisposableStack): Promise<string> {
  const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", SCRIPT, store];
  const child = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" }).spawn();
  const output = lines(child.stdout);
  stack.defer(async () => {
    child.kill("SIGTERM");
    await child.status;
    await output.return(undefined);
  });
  const { value } = await output.next();
  return value ?? "";
}

/** Which server, 0 or 1, has received each message of the client since this was last asked. */
type Received = () => readonly number[];

/** Passes each message of the client on to the next one of these servers, and its streams to the first. Resolves with its URL. */
async function proxy(urls: readonly string[], stack: AsyncDisposableStack): Promise<readonly [URL, Received]> {
  let turn = 0;
  const received: number[] = [];
  const server = createServer((request, response) => {
    const { method, headers } = request;
    const index = method === "POST" ? turn++ % urls.length : 0;
    if (method === "POST") received.push(index);
    const to = new URL(urls[index] ?? "");
    const passed = outgoing(to, { agent: false, method, headers: { ...headers, host: to.host } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
    });
    passed.on("error", () => response.destroy());
    response.on("close", () => passed.destroy());
    request.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stack.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  const address = server.address();
  const url = new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/mcp`);
  return [url, () => received.splice(0)];
}

/** Resolves with the next task that is in a state. */
function next(backend: Backend, status: TaskInfo["status"]): Promise<TaskInfo> {
  const { promise, resolve } = Promise.withResolvers<TaskInfo>();
  const stop = backend.watch((event) => {
    if (event.kind !== "change" || event.task.status !== status) return;
    stop();
    resolve(event.task);
  });
  return promise;
}

async function exercise(t: Deno.TestContext, store: string): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const backend = stack.use(await open(store));
  let gate = Promise.withResolvers<void>();
  let runs = 0;
  const run = async (_: unknown, { signal }: { readonly signal: AbortSignal }) => {
    const ran = ++runs;
    await Promise.race([gate.promise, new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    signal.throwIfAborted();
    return { ran };
  };
  const greet = ({ name }: { readonly [key: string]: unknown }) => ({ greeting: `Hello, ${name}!` });
  const worker = stack.use(createWorker(backend, [implement(patient, run), implement(introduce, greet)]));
  await worker.ready;
  const urls = await Promise.all([start(store, stack), start(store, stack)]);
  const [url, received] = await proxy(urls, stack);

  const client = new Client({ name: "balanced", version: "1.0.0" }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { name: "Ann" } }));
  const transport = new StreamableHTTPClientTransport(url, { reconnectionOptions: NO_RECONNECTION });
  await client.connect(transport);
  stack.defer(() => close(client, transport));

  assertEquals(received(), [0, 1]);

  for (const [one, other, turn] of [[0, 1, "one process"], [1, 0, "the other process"]] as const) {
    await t.step(`a person cancels a call of ${turn}: its task is cancelled`, async () => {
      const person = new AbortController();
      const [running, cancelled] = [next(backend, "RUNNING"), next(backend, "CANCELLED")];
      const call = client.callTool({ name: "patient", arguments: { name: turn } }, undefined, person);
      const { id } = await running;
      person.abort("They have changed their mind.");
      await assertRejects(() => call, Error);
      assertEquals((await cancelled).id, id);
      assertEquals(received(), [one, other]);
    });

    await t.step(`a person answers what a call of ${turn} asks before there is a task`, async () => {
      const { structuredContent } = await client.callTool({ name: "introduce", arguments: {} });
      assertEquals(structuredContent, { greeting: "Hello, Ann!" });
      assertEquals(received(), [one, other]);
    });
    await t.step(`the time limit of a call of ${turn} passes: the same call again receives its task`, async () => {
      const input = { name: `${turn}, again` };
      const before = runs;
      const running = next(backend, "RUNNING");
      const timer = new AbortController();
      const call = client.callTool({ name: "patient", arguments: input }, undefined, timer);
      await running;
      timer.abort("Request timed out");
      await assertRejects(() => call, Error);
      const { owner, key } = listOf(new ToolRegistry().register(patient), input, ANONYMOUS.owner);
      // Its server is named for as long as the call waits.
      const isLeft = async () => /^[^@]+$/.test(await backend.keys.readKey(owner, key) ?? "");
      await until(isLeft, "the task is left to the next call");
      const again = client.callTool({ name: "patient", arguments: input });
      gate.resolve();
      const { structuredContent } = await again;
      assertEquals(structuredContent, { ran: before + 1 });
      assertEquals(received(), [one, other, one]);
      gate = Promise.withResolvers();
    });
  }
}

onEachStore("two servers behind a load balancer", exercise);
