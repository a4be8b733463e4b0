/** Metrics with a provider of the test's own, which keeps what it is given. */
import {
  type BatchObservableCallback,
  type Meter,
  type MeterProvider,
  type MetricOptions,
  metrics,
  type Observable,
} from "@opentelemetry/api";
import type { McpServer } from "@modelcontextprotocol/server";
import type { Attempt, Claim, Operator } from "../../backend.ts";
import { CALL_A_LISTENER } from "../../src/log/on_error.ts";
import { ToolRegistry } from "../../src/registry.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { GAUGES, observe } from "../../src/telemetry/gauges.ts";
import { EVENTS } from "../../src/telemetry/events.ts";
import { failureOf } from "../../src/telemetry/spans.ts";
import { inProcessSpan } from "../../src/telemetry/task_spans.ts";
import { HoldLost, TaskCancelled, TaskParked, WorkerStopping } from "../../src/errors.ts";
import { countCreated, countEnded, countStoreError, measured, measureStart } from "../../src/telemetry/metrics.ts";
import {
  AsyncToolServer,
  BackendError,
  createClient,
  createWorker,
  defineJob,
  JobFault,
  MemoryBackend,
} from "../../mod.ts";
import { z } from "zod";
import { connect, REVISIONS } from "../mcp/support/measured.ts";
import { request, TASKS } from "../mcp/support/modern.ts";
import { ignored } from "../support/errors.ts";
import { assert, assertEquals } from "../../tools/std.ts";

/** Any server will do. */
const SERVER = new URL("../mcp/support/large_server.ts", import.meta.url);

/** A provider, what was recorded with it, and a way to collect. */
class Recorder implements MeterProvider, Disposable {
  readonly recorded: (readonly [name: string, value: number, attributes: unknown])[] = [];
  readonly units = new Map<string, string | undefined>();
  readonly boundaries = new Map<string, readonly number[] | undefined>();
  readonly #callbacks = new Set<BatchObservableCallback>();

  constructor() {
    assert(metrics.setGlobalMeterProvider(this));
  }

  getMeter(): Meter {
    const make = (name: string, { unit, advice }: MetricOptions = {}) => {
      this.units.set(name, unit);
      this.boundaries.set(name, advice?.explicitBucketBoundaries);
      const record = (value: number, attributes: unknown) => void this.recorded.push([name, value, attributes]);
      return { name, add: record, record };
    };
    return {
      createCounter: make,
      createHistogram: make,
      createObservableGauge: make,
      addBatchObservableCallback: (callback: BatchObservableCallback) => this.#callbacks.add(callback),
      removeBatchObservableCallback: (callback: BatchObservableCallback) => this.#callbacks.delete(callback),
    } as unknown as Meter;
  }

  /** Collects once, and returns what was observed. */
  async collect(): Promise<readonly (readonly unknown[])[]> {
    const observed: unknown[][] = [];
    const observe = (of: Observable, value: number, attributes: unknown) =>
      observed.push([Reflect.get(of, "name"), value, attributes]);
    for (const callback of this.#callbacks) await callback({ observe } as never);
    return observed;
  }

  [Symbol.dispose](): void {
    metrics.disable();
  }
}

const COUNTS = {
  job: "report",
  counts: { PENDING: 2, RUNNING: 1, RETRYING: 0, INPUT_REQUIRED: 1, COMPLETED: 7, FAILED: 0, CANCELLED: 0 },
  parked: 1,
  oldestWaiting: 60_000,
  paused: false,
};
const WORKER = { host: "one", pid: 1, running: [], since: 0 };

/** An operator that counts how often it is asked. */
function operatorOf(counts: Operator["counts"]): Pick<Operator, "counts" | "workers"> & { asked: number } {
  const operator = {
    asked: 0,
    counts: () => {
      operator.asked++;
      return counts();
    },
    workers: () =>
      Promise.resolve([
        { ...WORKER, name: "a", jobs: ["report", "order"] },
        { ...WORKER, name: "b", jobs: ["report"] },
      ]),
  };
  return operator;
}

Deno.test("without a provider nothing is measured and no operator is asked; a provider that comes later gets what follows", async () => {
  const operator = operatorOf(() => Promise.resolve([COUNTS]));
  observe({ operator }, new AbortController().signal);
  countCreated("before");
  assertEquals([measured("call", {}), operator.asked], [undefined, 0]);
  for (const job of ["first", "second"]) {
    using recorder = new Recorder();
    countCreated(job);
    countStoreError("read");
    measured("send", {})?.({ "error.type": "BackendError" });
    await Promise.resolve();
    const [sent, created, failed] = recorder.recorded;
    assertEquals(created, [EVENTS.created.name, 1, { "mcp_jobs.job": job }]);
    assertEquals(failed, [EVENTS.storeErrors.name, 1, { "mcp_jobs.store.operation": "read" }]);
    assertEquals([sent?.[0], sent?.[2]], [EVENTS.send.name, { "error.type": "BackendError" }]);
    for (const { name, unit } of Object.values(EVENTS)) assertEquals(recorder.units.get(name), unit);
  }
  countCreated("after");
});

Deno.test("what is counted in one turn is one call of the provider for each set of attributes", async () => {
  using recorder = new Recorder();
  const job = defineJob({ name: "report", input: { type: "object" } });
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  await Promise.all(Array.from({ length: 10 }, () => client.start(job, {})));
  countCreated("other");
  await Promise.resolve();
  const created = () => recorder.recorded.filter(([name]) => name === EVENTS.created.name);
  assertEquals(created().map(([, ...value]) => value), [
    [10, { "mcp_jobs.job": "report" }],
    [1, { "mcp_jobs.job": "other" }],
  ]);
  countCreated("report");
  await Promise.resolve();
  assertEquals(created().length, 3);
});

Deno.test("an error that no caller receives counts once, however many parts of a server pass on the user's `onError`", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const received: unknown[] = [];
  using tasks = new Tasks(backend, Date.now, { onError: (_, { where }) => received.push(where) });
  const registered = new ToolRegistry().register(defineJob({ name: "report", input: { type: "object" } }));
  const told = Promise.withResolvers<void>();
  tasks.follow(await tasks.start(registered, {}, "user:ann"), () => {
    queueMicrotask(told.resolve);
    throw new Error("This listener throws, as the test wants it.");
  });
  await told.promise;
  const counted = recorder.recorded.filter(([name]) => name === EVENTS.errors.name);
  assertEquals(counted.map(([, ...value]) => value), [[1, { "mcp_jobs.error.where": CALL_A_LISTENER }]]);
  assertEquals(received, [CALL_A_LISTENER]);
});

Deno.test("a run that was cancelled counts as such, although its code returns a value", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const begun = Promise.withResolvers<void>();
  const job = defineJob({
    name: "stubborn",
    input: { type: "object" },
    run: async (_, { signal }) => {
      begun.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      return "done";
    },
  });
  await using _worker = createWorker(backend, [job]);
  using client = createClient(backend, { owner: "user:ann" });
  const { id } = await client.start(job, {});
  await begun.promise;
  await client.cancel(id);
  const attempts = recorder.recorded.filter(([name]) => name === EVENTS.attempts.name);
  assertEquals(attempts.map(([, ...value]) => value), [
    [1, { "mcp_jobs.job": "stubborn", "mcp_jobs.run.end": "cancelled" }],
  ]);
});

Deno.test("a run counts by how it has ended, where the reason to stop comes before what the code returned, and only failures of the code are errors", async () => {
  using recorder = new Recorder();
  const value = { kind: "value", value: null } as const;
  const fault = { kind: "fault", message: "No such ledger." } as const;
  const failed = (retry: boolean) => ({ kind: "error", message: "It broke.", retry }) as const;
  const runs: readonly (readonly [end: string, Attempt, reason?: Error])[] = [
    ["completed", value],
    ["fault", fault],
    ["job_error", failed(true)],
    ["tool_error", failed(false)],
    ["lost", value, new HoldLost()],
    ["cancelled", fault, new TaskCancelled()],
    ["parked", failed(true), new TaskParked()],
    ["handed_back", failed(true), new WorkerStopping()],
    ["handed_back", fault, new WorkerStopping()],
    ["completed", value, new WorkerStopping()],
    ["job_error", failed(true), new DOMException("The time is over.", "TimeoutError")],
  ];
  for (const [, attempt, reason] of runs) {
    const signal = reason ? AbortSignal.abort(reason) : new AbortController().signal;
    const claim = { task: { id: "1", job: "report", attempt: 1 }, signal } as Claim;
    assertEquals(await inProcessSpan(claim, () => Promise.resolve(attempt)), attempt);
    await Promise.resolve();
  }
  const said = (name: string, attribute: string) =>
    recorder.recorded.filter(([metric]) => metric === name).map(([, , of]) => Reflect.get(of as object, attribute));
  assertEquals(said(EVENTS.attempts.name, "mcp_jobs.run.end"), runs.map(([end]) => end));
  const errors = ["fault", "job_error", "tool_error"];
  const types = runs.map(([end]) => errors.includes(end) ? end : undefined);
  assertEquals(said(EVENTS.process.name, "error.type"), types);
});

Deno.test("times are measured in seconds, and are never negative, although clocks may be set", async () => {
  using recorder = new Recorder();
  const values = (name: string) => recorder.recorded.filter(([metric]) => metric === name).map(([, value]) => value);
  const task = { job: "report", status: "COMPLETED", createdAt: 60_000 } as const;
  for (const finishedAt of [62_500, 1_000]) countEnded({ ...task, finishedAt });
  for (const waited of [1_500, -1]) measureStart("report", waited);
  const before = performance.now();
  const end = measured("process", {});
  for (const from = performance.now(); performance.now() < from + 2;);
  end?.();
  const [ran = 0] = values(EVENTS.process.name);
  assert(0.0019 < ran && ran <= (performance.now() - before) / 1_000, `${ran}`);
  const early = { ...COUNTS, oldestWaiting: 90_001 };
  observe({ operator: operatorOf(() => Promise.resolve([early])) }, new AbortController().signal, () => 90_000);
  const observed = await recorder.collect();
  assertEquals([values(EVENTS.timeToEnd.name), values(EVENTS.timeToStart.name)], [[2.5, 0], [1.5, 0]]);
  assertEquals(observed.find(([name]) => name === GAUGES.age.name)?.[1], 0);
});

Deno.test("the gauges ask the operator once per collection, until their server is closed", async () => {
  using recorder = new Recorder();
  const operator = operatorOf(() => Promise.resolve([COUNTS]));
  const closed = new AbortController();
  observe({ operator }, closed.signal, () => 90_000);
  const observed = await recorder.collect();
  assertEquals(operator.asked, 1);
  const report = { "mcp_jobs.job": "report" };
  const count = (status: string) =>
    observed.find(([name, , of]) =>
      name === GAUGES.tasks.name && Reflect.get(of as object, "mcp_jobs.task.status") === status
    );
  assertEquals([count("pending")?.[1], count("running")?.[1], count("completed")?.[1]], [2, 1, 7]);
  assertEquals(observed.filter(([name]) => name !== GAUGES.tasks.name), [
    [GAUGES.parked.name, 1, report],
    [GAUGES.age.name, 30, report],
    [GAUGES.workers.name, 2, report],
    [GAUGES.workers.name, 1, { "mcp_jobs.job": "order" }],
  ]);
  closed.abort();
  observe({ operator }, closed.signal);
  assertEquals([await recorder.collect(), operator.asked], [[], 1]);
});

Deno.test("the gauge of workers says of a job without one that it has none", async () => {
  using recorder = new Recorder();
  observe({ operator: operatorOf(() => Promise.resolve([{ ...COUNTS, job: "idle" }])) }, new AbortController().signal);
  const workers = (await recorder.collect()).filter(([name]) => name === GAUGES.workers.name);
  assertEquals(workers.find(([, , of]) => Reflect.get(of as object, "mcp_jobs.job") === "idle")?.[1], 0);
});

Deno.test("an error is measured by its code only if it is one of the protocol, and else by its class", () => {
  const unknownTool = Object.assign(new Error("Unknown tool"), { name: "ProtocolError", code: -32602 });
  assertEquals(failureOf(unknownTool), { "error.type": "-32602", "rpc.response.status_code": "-32602" });
  assertEquals(failureOf(new JobFault("No such ledger.", -32001)), { "error.type": "JobFault" });
  assertEquals(failureOf("a text"), { "error.type": "_OTHER" });
});

Deno.test("a store that fails as it is counted is a store error, and the next collection asks again", async () => {
  using recorder = new Recorder();
  let fails = true;
  const counts = () => fails ? Promise.reject(new Error("away")) : Promise.resolve([COUNTS]);
  observe({ operator: operatorOf(counts) }, new AbortController().signal);
  assertEquals(await recorder.collect(), []);
  assertEquals(recorder.recorded, [[EVENTS.storeErrors.name, 1, { "mcp_jobs.store.operation": "count" }]]);
  fails = false;
  assert((await recorder.collect()).length > 0);
});

Deno.test("each request of a client is measured by its method, and a call by its tool", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "measured", version: "1.0.0", backend });
  server.registerAsyncTool(defineJob({ name: "report", input: { type: "object" } }), { answerWithin: 0 });
  const url = new URL("http://localhost/mcp");
  const requests = [["tools/list", {}], ["tools/call", { name: "report", arguments: {} }], ["tasks/get", {
    taskId: "none",
  }]];
  for (const [method, params] of requests as [string, Record<string, unknown>][]) {
    await (await server.fetch(request(url, method, params, method === "tools/call" ? {} : TASKS))).text();
  }
  await server.close();
  const http = { "network.transport": "tcp", "mcp.protocol.version": "2026-07-28" };
  const tool = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "report" };
  const calls = recorder.recorded.filter(([name]) => name === EVENTS.call.name);
  assertEquals(calls.map(([, , attributes]) => attributes), [
    { "mcp.method.name": "tools/list", ...http },
    { "mcp.method.name": "tools/call", ...tool, ...http },
    { "mcp.method.name": "tasks/get", ...http, "error.type": "-32602", "rpc.response.status_code": "-32602" },
  ]);
});

Deno.test("a call that fails because the store does is measured as an error of the server, though its client gets a result", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "measured", version: "1.0.0", backend, onError: ignored });
  server.registerAsyncTool(defineJob({ name: "report", input: { type: "object" } }));
  backend.create = () => Promise.reject(new BackendError("The store is away."));
  const call = { name: "report", arguments: {} };
  const response = await server.fetch(request(new URL("http://localhost/mcp"), "tools/call", call, {}));
  assertEquals((await response.json()).result.isError, true);
  await server.close();
  const [, , attributes] = recorder.recorded.find(([name]) => name === EVENTS.call.name) ?? [];
  const { "error.type": type, "rpc.response.status_code": code } = attributes as Record<string, unknown>;
  assertEquals([type, code], ["-32603", "-32603"]);
});

for (const transport of ["http", "stdio"] as const) {
  for (const revision of REVISIONS) {
    Deno.test(`each request is measured with the revision that its client speaks: ${revision} over ${transport}`, async () => {
      using recorder = new Recorder();
      await using client = await connect(transport, revision, "operation", SERVER);
      await client.ask("tools/list");
      await client.ask("tools/call", { name: "no such tool" });
      const calls = recorder.recorded.filter(([name]) => name === EVENTS.call.name);
      const of = { "network.transport": transport === "http" ? "tcp" : "pipe", "mcp.protocol.version": revision };
      assertEquals(calls.map(([, , attributes]) => attributes), [
        { "mcp.method.name": "tools/list", ...of },
        {
          "mcp.method.name": "tools/call",
          "gen_ai.operation.name": "execute_tool",
          ...of,
          "error.type": "-32602",
          "rpc.response.status_code": "-32602",
        },
      ]);
    });
  }
}

Deno.test("a store and a run are measured with the type of their operation, and requests in the buckets of the conventions", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const job = defineJob({ name: "report", input: { type: "object" }, run: () => "done" });
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  using client = createClient(backend, { owner: "user:ann" });
  await client.wait(await client.start(job, {}));
  const types = recorder.recorded.filter(([name]) => name.startsWith("messaging.")).map(([name, , attributes]) => {
    return [name, Reflect.get(attributes as object, "messaging.operation.type")];
  });
  assertEquals(types, [[EVENTS.send.name, "send"], [EVENTS.process.name, "process"]]);
  const bounds = [EVENTS.call, EVENTS.send, EVENTS.process].map(({ name }) => recorder.boundaries.get(name)?.at(-1));
  assertEquals(bounds, [300, 10, 86_400]);
});

Deno.test("a request that our handler passes on to that of an extension is measured once", async () => {
  using recorder = new Recorder();
  await using backend = new MemoryBackend();
  const server = new AsyncToolServer({ name: "measured", version: "1.0.0", backend });
  server.extend((mcp: McpServer) => {
    mcp.registerTool("plain", { inputSchema: z.object({}) }, () => ({ content: [] }));
  });
  const url = new URL("http://localhost/mcp");
  for (const [method, params] of [["tools/list", {}], ["tools/call", { name: "plain" }]] as const) {
    await (await server.fetch(request(url, method, params))).text();
  }
  await server.close();
  const methods = recorder.recorded.filter(([name]) => name === EVENTS.call.name).map(([, , attributes]) => {
    return Reflect.get(attributes as object, "mcp.method.name");
  });
  assertEquals(methods, ["tools/list", "tools/call"]);
});
