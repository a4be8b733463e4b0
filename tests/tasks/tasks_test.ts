import { z } from "zod";
import type { Route } from "../../backend.ts";
import { BackendError, defineJob, type Job, MemoryBackend } from "../../mod.ts";
import { InvalidInput, InvalidValue, ToolRegistry } from "../../strategy.ts";
import { listOf } from "../../src/tasks/starting/task_keys.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { isFinished } from "../../src/task.ts";
import { createWorker } from "../../src/worker.ts";
import { until } from "../support/processes.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";

const WEEK = 7 * 24 * 3_600_000;

const echo: Job = defineJob({
  name: "echo",
  input: { type: "object", properties: { text: { type: "string" } } },
  run: (input) => input,
});
const registered = new ToolRegistry().register(echo, { resultTtl: 5_000 });

/** A job of the same name, registered for the workers of another queue. */
const elsewhere = new ToolRegistry().register(
  defineJob({ name: "echo", input: echo.input, output: z.object({ width: z.number() }) }),
  { queue: "others" },
);

/** A task as it is shown to its owner. */
async function shown(tasks: Tasks, id: string) {
  return await tasks.explain(await tasks.get(id, "me"));
}

Deno.test("a result is kept for as long as the client asks, up to a week, or else as registered", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const kept: number[] = [];
  for (const ttl of [undefined, 1_234.5, 0, -7, WEEK]) {
    kept.push((await tasks.start(registered, {}, "me", { ttl })).resultTtl);
  }
  assertEquals(kept, [5_000, 1_235, 1, 1, WEEK]);
});

Deno.test("an input that does not fit, or is not JSON, is refused before anything is stored", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  await assertRejects(() => tasks.start(registered, { text: 7 }, "me"), InvalidInput, "input for echo: text");
  await assertRejects(
    () => tasks.start(registered, { more: 1n }, "me"),
    InvalidValue,
    'the field "more" of the input is a bigint',
  );
  assertEquals((await tasks.list("me")).tasks, []);
});

Deno.test("a refused cancellation says whether the job forbids it, or the server does not offer the job", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend, Date.now, {}, [registered]);
  const refused = (job: string) => tasks.refuseCancel({ id: "1", owner: "me", job });
  assertEquals(refused("echo"), "Tasks of echo cannot be cancelled.");
  assertEquals(refused("old"), "This server does not offer old, so it does not cancel tasks of it.");
});

Deno.test("a task that waits to be retried says why and when, and later that no worker runs", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const fails = () => Promise.reject(new Error("net down"));
  const failing = defineJob({ name: "echo", input: echo.input, run: fails, backoff: { delay: 60_000 } });
  const task = await tasks.start({ ...registered, job: failing, policy: failing.policy }, {}, "me");
  const { id } = task;
  const retrying = Promise.withResolvers<void>();
  const worker = createWorker(backend, [failing]);
  tasks.follow(task, ({ status }) => status === "RETRYING" && retrying.resolve());
  await retrying.promise;
  await worker.close();
  const why = "Attempt 1 of 3 failed: net down";
  const raw = await tasks.get(id, "me");
  const dueAt = isFinished(raw) ? NaN : raw.dueAt ?? NaN;
  const next = `The next attempt starts at ${new Date(dueAt).toISOString()}.`;
  assertEquals([raw.message, (await tasks.explain(raw)).message], [why, `${why}. ${next}`]);
  later = 70_000;
  const waits = "Waiting: no worker for echo is running. It starts as soon as one does.";
  assertEquals((await shown(tasks, id)).message, `${why}. ${waits}`);
});

Deno.test("a delayed task says when it starts, and nothing about workers before it is due", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const { id, createdAt } = await tasks.start({ ...registered, policy: { delay: 3_600_000 } }, {}, "me");
  later = 3_590_000;
  const message = `It starts at ${new Date(createdAt + 3_600_000).toISOString()}.`;
  assertEquals((await shown(tasks, id)).message, message);
  later = 3_599_000;
  assertEquals((await shown(tasks, id)).message, undefined);
  later = 3_660_000;
  assertEquals((await shown(tasks, id)).message?.slice(0, 40), "Waiting: no worker for echo is running. ");
});

Deno.test("a task that sleeps says until when, and once that is over, that no worker runs", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const run: Job["run"] = (_, { sleep }) => sleep("an hour", 3_600_000);
  const worker = createWorker(backend, [defineJob({ name: "echo", input: echo.input, run })]);
  const task = await tasks.start(registered, {}, "me");
  const parked = Promise.withResolvers<void>();
  tasks.follow(task, (now) => "parked" in now && parked.resolve());
  await parked.promise;
  await worker.close();
  assertStringIncludes((await shown(tasks, task.id)).message ?? "", "Sleeping until ");
  later = 3_600_000 + 60_000;
  const waits = "Waiting: no worker for echo is running. It starts as soon as one does.";
  assertEquals((await shown(tasks, task.id)).message, waits);
});

Deno.test("a result from another queue's workers is validated: a misfit is a tool error, and others are as the output schema returns them", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend, Date.now, {}, [elsewhere]);
  await using _worker = createWorker(backend, [echo]);
  const outcomeOf = async (result: unknown) => {
    const { id } = await tasks.start(registered, result, "me");
    return await tasks.outcome(await tasks.wait(id, "me", new AbortController().signal));
  };
  assertEquals(await outcomeOf({ width: 7, more: true }), { kind: "value", value: { width: 7 } });
  const misfit = await outcomeOf({ width: "7" });
  assertEquals(misfit.kind, "tool_error");
  assertStringIncludes("message" in misfit ? misfit.message : "", "Invalid result of echo: width: ");
});

Deno.test("reading the outcome of a task that the caller holds costs one read", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend, Date.now, {}, [elsewhere]);
  await using _worker = createWorker(backend, [echo]);
  const { id } = await tasks.start(registered, { width: 7 }, "me");
  const task = await tasks.wait(id, "me", new AbortController().signal);
  const reads: string[] = [];
  const { get, outcome } = backend;
  backend.get = (...args) => (reads.push("get"), get.apply(backend, args));
  backend.outcome = (...args) => (reads.push("outcome"), outcome.apply(backend, args));
  assertEquals(await tasks.outcome(task), { kind: "value", value: { width: 7 } });
  assertEquals(reads, ["outcome"]);
});

Deno.test("a task that has waited for a while says that no worker runs, and only if that is so", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const { id } = await tasks.start(registered, {}, "me");
  assertEquals((await shown(tasks, id)).message, undefined);
  later = 60_000;
  const message = "Waiting: no worker for echo is running. It starts as soon as one does.";
  assertEquals((await shown(tasks, id)).message, message);
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  const end = await tasks.wait(id, "me", new AbortController().signal);
  assertEquals([end.status, end.message], ["COMPLETED", undefined]);
});

Deno.test("a task that has run for a while says that its worker is gone, and only if no worker for its job is running", async () => {
  class Workers extends MemoryBackend {
    override hasWorker(): Promise<boolean> {
      asked++;
      return Promise.resolve(alive);
    }
  }
  let [asked, alive, later] = [0, true, 0];
  await using backend = new Workers();
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<{ width: number }>()];
  const run: Job["run"] = async (_, { progress }) => {
    await progress(0.5, "half of it");
    begun.resolve();
    return await end.promise;
  };
  await using worker = createWorker(backend, [defineJob({ name: "echo", input: echo.input, run })]);
  await worker.ready;
  const { id } = await tasks.start(registered, {}, "me");
  await begun.promise;
  assertEquals([(await shown(tasks, id)).message, asked], ["half of it", 0]);
  later = 60_000;
  assertEquals([(await shown(tasks, id)).message, asked], ["half of it", 1]);
  alive = false;
  assertEquals(
    (await shown(tasks, id)).message,
    "Waiting: its worker is gone, and no other one for echo is running. It runs again as soon as one is.",
  );
  end.resolve({ width: 7 });
});

Deno.test("a task that has waited for a while is shown even if nobody can say just then why", async () => {
  class Failing extends MemoryBackend {
    override hasWorker(): Promise<boolean> {
      return Promise.reject(new BackendError("The store does not answer."));
    }
  }
  await using backend = new Failing();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const task = await tasks.start(registered, {}, "me");
  later = 60_000;
  assertEquals(await shown(tasks, task.id), task);
});

Deno.test("a task that has waited for a while behind others says so", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, [registered]);
  const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<{ width: number }>()];
  const run = () => (begun.resolve(), end.promise);
  await using worker = createWorker(backend, [defineJob({ name: "echo", input: echo.input, run })], { concurrency: 1 });
  await worker.ready;
  await tasks.start(registered, {}, "me");
  await begun.promise;
  const { id } = await tasks.start(registered, {}, "me");
  assertEquals((await shown(tasks, id)).message, undefined);
  later = 60_000;
  const { status, message } = await shown(tasks, id);
  assertEquals([status, message], [
    "PENDING",
    "Waiting for its turn: other tasks come first, or its job is paused or at a limit.",
  ]);
  end.resolve({ width: 7 });
});

Deno.test("a task says that no worker runs only if none of the queues of its job has one", async () => {
  const asked: unknown[] = [];
  class Queues extends MemoryBackend {
    override hasWorker(job: string, route?: Route): Promise<boolean> {
      asked.push([job, route?.queue]);
      return Promise.resolve(route?.queue === busy);
    }
  }
  let busy = "none";
  const registry = new ToolRegistry();
  const jobs = [registry.register(elsewhere.job, { queue: "slow" })];
  jobs.push(registry.register(elsewhere.job, { name: "fast_echo", queue: "fast" }));
  await using backend = new Queues();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later, {}, jobs);
  const { id } = await tasks.start(registered, {}, "me");
  later = 60_000;
  assertStringIncludes((await shown(tasks, id)).message ?? "", "no worker for echo");
  busy = "fast";
  assertStringIncludes((await shown(tasks, id)).message ?? "", "Waiting for its turn");
  assertEquals(asked.slice(0, 2), [["echo", "slow"], ["echo", "fast"]]);
});

Deno.test("a task of a job that is not registered here says that no worker runs", async () => {
  await using backend = new MemoryBackend();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later);
  const { id } = await tasks.start(registered, {}, "me");
  later = 60_000;
  assertStringIncludes((await shown(tasks, id)).message ?? "", "no worker for echo");
});

Deno.test("a task of a job that is not registered here waits for its turn if any queue of its job has a worker", async () => {
  class Queues extends MemoryBackend {
    override hasWorker(_: string, route?: Route): Promise<boolean> {
      return Promise.resolve(route === undefined);
    }
  }
  await using backend = new Queues();
  let later = 0;
  using tasks = new Tasks(backend, () => Date.now() + later);
  const { id } = await tasks.start(registered, {}, "me");
  later = 60_000;
  assertStringIncludes((await shown(tasks, id)).message ?? "", "Waiting for its turn");
});

Deno.test("a unique task whose call is gone is no longer left to the next call once another start has found it", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const unique = new ToolRegistry().register(echo, { unique: true });
  const list = listOf(unique, {}, "me");
  const offered = () => backend.keys.readKey(list.owner, list.key);
  const gone = tasks.caller(unique, "me", {});
  const begun = tasks.start(unique, {}, "me", { adopt: true, caller: gone });
  await gone.abandon(begun);
  const { id } = await begun;
  assertStringIncludes(await offered() ?? "", id);
  // A start by code that has no call to wait with, as of `createClient`.
  assertEquals((await tasks.start(unique, {}, "me")).id, id);
  await until(async () => await offered() === undefined, "the offer is withdrawn");
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  await tasks.wait(id, "me", tasks.over);
  const next = await tasks.start(unique, {}, "me", { adopt: true, caller: tasks.caller(unique, "me", {}) });
  assert(next.id !== id, "It is another task.");
});

Deno.test("calls that leave before they have searched for a task to take over do not wait for themselves, and a later call takes over", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const start = () => {
    const caller = tasks.caller(registered, "me", {});
    return { caller, begun: tasks.start(registered, {}, "me", { adopt: true, caller }) };
  };
  const gone = [start(), start()];
  await Promise.all(gone.map(({ caller, begun }) => caller.abandon(begun)));
  const left = await Promise.all(gone.map(async ({ begun }) => (await begun).id));
  const next = (await start().begun).id;
  assertEquals([...left, next], [next, next, next]);
});
