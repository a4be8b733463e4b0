// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/server";
import {
  AdaptiveExposureStrategy,
  createWorker,
  type ExposureStrategy,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
} from "../../mod.ts";
import { ToolRegistry } from "../../strategy.ts";
import { merge } from "../../src/exposure/merge.ts";
import { bind } from "../../src/mcp/bind.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { assertEquals } from "../../tools/std.ts";
import { call, CallToolResultSchema, start } from "../interop/support/client.ts";
import { contract } from "../interop/support/fixture.ts";

const WAITING = "Waiting: no worker for contract is running. It starts as soon as one does.";

/** A client of a server without a worker, and a clock that the test sets. */
async function serve(strategy: ExposureStrategy) {
  const backend = new MemoryBackend();
  let later = 0;
  const registered = new ToolRegistry().register(contract);
  const tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const surface = merge([strategy.expose(registered, tasks)], tasks);
  const served = { name: "fixture", version: "1.0.0", surface, tasks, extensions: [], maxMessageBytes: 1_000_000 };
  const host = bind(served, { owner: "local", known: true }, "legacy");
  const [ours, theirs] = InMemoryTransport.createLinkedPair();
  await host.connect(ours);
  const client = new Client({ name: "interop", version: "1.0.0" });
  await client.connect(theirs);
  return {
    backend,
    client,
    pass: (ms: number) => void (later += ms),
    [Symbol.asyncDispose]: async () => {
      await client.close();
      tasks[Symbol.dispose]();
      await backend.close();
    },
  };
}

Deno.test("tasks/get says after a while that no worker is running, and the task runs as soon as one is", async () => {
  await using server = await serve(new OperationResourceStrategy());
  const { backend, client, pass } = server;
  const { taskId } = (await start(client, "contract")).task;
  const tasks = client.experimental.tasks;
  assertEquals((await tasks.getTask(taskId)).statusMessage, undefined);
  pass(60_000);
  const { status, statusMessage } = await tasks.getTask(taskId);
  assertEquals([status, statusMessage], ["working", WAITING]);
  const waiting = tasks.getTaskResult(taskId, CallToolResultSchema);
  await using _worker = createWorker(backend, [{ ...contract, run: () => ({ ran: true }) }]);
  assertEquals((await waiting).structuredContent, { ran: true });
});

Deno.test("_status says after a while that no worker is running, and the task runs as soon as one is", async () => {
  await using server = await serve(new PollingExposureStrategy());
  const { backend, client, pass } = server;
  const { structuredContent: { token } = {} } = await call(client, "contract_start");
  const status = async () => (await call(client, "contract_status", { token })).structuredContent;
  assertEquals(await status(), { token, status: "PENDING" });
  pass(60_000);
  assertEquals(await status(), { token, status: "PENDING", message: WAITING });
  const finished = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && finished.resolve());
  await using _worker = createWorker(backend, [{ ...contract, run: () => ({ ran: true }) }]);
  await finished.promise;
  assertEquals(await status(), { token, status: "COMPLETED", result: { ran: true } });
});

Deno.test("the handle that a call gets says that no worker is running, and so does task_status after its wait", async () => {
  await using server = await serve(new AdaptiveExposureStrategy({ answerWithin: 20 }));
  const { backend, client, pass } = server;
  pass(60_000);
  const handle = (await call(client, "contract")).structuredContent;
  assertEquals([handle?.status, handle?.message], ["PENDING", WAITING]);
  const readStatus = async () => (await call(client, "task_status", { token: handle?.token })).structuredContent;
  assertEquals((await readStatus())?.message, WAITING);
  const finished = Promise.withResolvers<void>();
  backend.watch((event) => event.kind === "change" && event.task.status === "COMPLETED" && finished.resolve());
  await using _worker = createWorker(backend, [{ ...contract, run: () => ({ ran: true }) }]);
  await finished.promise;
  assertEquals((await readStatus())?.status, "COMPLETED");
});
