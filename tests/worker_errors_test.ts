import { z } from "zod";
import { Hub, StoreBackend } from "../backend.ts";
import {
  AsyncToolServer,
  type Backend,
  BackendError,
  createWorker,
  defineJob,
  type Job,
  JobFault,
  type Json,
  MemoryBackend,
  type TaskInfo,
  TimedOut,
  ToolError,
} from "../mod.ts";
import { MemoryStore } from "../src/backends/memory/store.ts";
import { InvalidInput } from "../src/errors.ts";
import { newTaskId } from "../src/ids.ts";
import { retryPolicy } from "../src/job.ts";
import { ErrorLines } from "../src/log/on_error.ts";
import { aborted } from "../src/testing/stage.ts";
import { type LiveTask, openQuestions } from "../src/task.ts";
import { TaskFeed } from "../src/tasks/feed.ts";
import { Reported } from "./support/errors.ts";
import { assert, assertEquals, assertStringIncludes } from "../tools/std.ts";

const input = z.object({ text: z.string().default("") });

/** Stores one task of a job, and waits for its end; `cancel`: as soon as it runs. */
async function run(backend: Backend, job: Job, value: Json = {}, cancel = false): Promise<string> {
  using feed = new TaskFeed(backend);
  const [id, owner] = [newTaskId(), "me"];
  const retry = retryPolicy({ attempts: 1 });
  await backend.create({
    id,
    job: job.name,
    owner,
    input: value,
    resultTtl: 60_000,
    retry,
    timeout: job.policy.timeout,
  });
  await feed.wait(id, owner, new AbortController().signal, ({ status }) => {
    if (!cancel || status !== "RUNNING") return;
    cancel = false;
    void backend.cancel(id, owner, 10_000);
  });
  return id;
}

const JOBS = {
  throws: defineJob({
    name: "throws",
    input,
    run: ({ text }) => {
      throw new TypeError(`cannot read ${text}`);
    },
  }),
  hangs: defineJob({ name: "hangs", input, timeout: 1, run: (_, { signal }) => aborted(signal) }),
  refuses: defineJob({
    name: "refuses",
    input,
    run: () => {
      throw new ToolError("no such user");
    },
  }),
  faults: defineJob({
    name: "faults",
    input,
    run: () => {
      throw new JobFault("not today");
    },
  }),
  waits: defineJob({ name: "waits", input, run: (_, { signal }) => aborted(signal) }),
  misfits: defineJob({
    name: "misfits",
    input,
    output: z.object({ n: z.number() }),
    run: ({ text }) => ({ n: text } as never),
  }),
  returns: defineJob({ name: "returns", input, run: ({ text }) => ({ text }) }),
};

Deno.test("an attempt that fails unexpectedly is reported with its job and its task; what a job or its owner ends is not", async () => {
  await using backend = new MemoryBackend();
  const { all, onError } = new Reported();
  await using worker = createWorker(backend, Object.values(JOBS), { onError });
  await worker.ready;
  for (const job of [JOBS.refuses, JOBS.faults, JOBS.returns]) await run(backend, job);
  await run(backend, JOBS.waits, {}, true);
  const unexpected = [];
  for (const job of [JOBS.throws, JOBS.hangs, JOBS.misfits]) unexpected.push(await run(backend, job));
  unexpected.push(await run(backend, JOBS.returns, { text: 7 }));
  assertEquals(all.map(({ task }) => task), unexpected);
  assertEquals(all.map(({ where, job }) => `${where}: ${job}`), [
    "run a job: throws",
    "run a job: hangs",
    "run a job: misfits",
    "run a job: returns",
  ]);
  const kinds = [TypeError, TimedOut, ToolError, InvalidInput];
  for (const [index, kind] of kinds.entries()) assert(all[index]?.error instanceof kind, `${all[index]?.error}`);
});

Deno.test("an attempt that fails with a value that cannot be read is reported, too", async () => {
  await using backend = new MemoryBackend();
  const { all, onError } = new Reported();
  const nameless = new Error("");
  Object.defineProperty(nameless, "name", {
    get() {
      throw new TypeError("not readable");
    },
  });
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const throwing = (name: string, thrown: unknown) =>
    defineJob({
      name,
      input,
      run: () => {
        throw thrown;
      },
    });
  const jobs = [throwing("nameless", nameless), throwing("revoked", revoked.proxy)];
  await using worker = createWorker(backend, jobs, { onError });
  await worker.ready;
  for (const job of jobs) await run(backend, job);
  assertEquals(all.map(({ where, job }) => `${where}: ${job}`), ["run a job: nameless", "run a job: revoked"]);
  for (const { error } of all) assertEquals(String(error), "Error: The job threw a value that cannot be read.");
});

Deno.test("a task whose recorded steps do not fit the code that continues it is reported, as its job has not ended it", async () => {
  await using backend = new MemoryBackend();
  const { all, onError } = new Reported();
  const version = (name: string) =>
    defineJob({
      name: "changes",
      input,
      parkAfter: 0,
      run: async (_, { step, elicit }) => {
        await step(name, () => null);
        await elicit({ message: "Go on?", schema: z.object({ yes: z.boolean() }) });
      },
    });
  const parked = Promise.withResolvers<TaskInfo>();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && openQuestions(event.task).length > 0) parked.resolve(event.task);
  });
  const before = createWorker(backend, [version("load")], { onError });
  const ended = run(backend, version("load"));
  const { id, owner } = await parked.promise;
  stop();
  await before.close();
  await using after = createWorker(backend, [version("fetch")], { onError });
  await after.ready;
  const { questions: [question] = [] } = await backend.get(id, owner) as LiveTask;
  await backend.answer(id, owner, { [question?.key ?? ""]: { action: "decline" } });
  await ended;
  assertEquals(all.map(({ where, job, task }) => [where, job, task]), [["run a job", "changes", id]]);
  const message = all[0]?.error instanceof JobFault ? all[0].error.message : "";
  assertStringIncludes(message, 'its step 1 was recorded as "load"');
  assertEquals(await backend.outcome(id, owner), { kind: "fault", message }); // No code: the job has not thrown it.
});

Deno.test("by default neither the input nor the result of a task is in the log of errors", async () => {
  const lines: string[] = [];
  const { report } = new ErrorLines((line) => lines.push(line), Date.now);
  await using backend = new MemoryBackend({ onError: report });
  await using worker = createWorker(backend, Object.values(JOBS), { onError: report });
  await worker.ready;
  for (const job of [JOBS.throws, JOBS.misfits, JOBS.returns]) await run(backend, job, { text: "secret" });
  await run(backend, JOBS.returns, { text: { secret: "secret" } });
  assertEquals(lines.map((line) => JSON.parse(line).job), ["throws", "misfits", "returns"]);
  assert(!lines.join().includes("secret"), lines.join("\n"));
  assertStringIncludes(lines[0] ?? "", "TypeError (at ");
});

/** A store that once cannot read an input. */
class Forgetful extends StoreBackend {
  constructor(onError: Reported["onError"]) {
    const hub = new Hub();
    super(
      new class extends MemoryStore {
        #fails = true;
        override input(...entry: Parameters<MemoryStore["input"]>) {
          if (!this.#fails) return super.input(...entry);
          this.#fails = false;
          return Promise.reject(new BackendError("The disk is away."));
        }
      }(hub),
      hub,
      new AsyncDisposableStack(),
      { onError },
    );
  }
}

for (const [whose, own] of [["its own onError", true], ["the backend's", false]] as const) {
  Deno.test(`errors of a worker's store go to ${whose}${own ? "" : " if it has none"}`, async () => {
    const [ofBackend, ofWorker] = [new Reported(), new Reported()];
    await using backend = new Forgetful(ofBackend.onError);
    await using worker = createWorker(backend, [JOBS.returns], own ? { onError: ofWorker.onError } : {});
    await worker.ready;
    const id = await run(backend, JOBS.returns);
    const [reported, silent] = own ? [ofWorker, ofBackend] : [ofBackend, ofWorker];
    assertEquals(reported.all.map(({ where, job, task }) => [where, job, task]), [[
      "read the input of a task",
      "returns",
      id,
    ]]);
    assertEquals(silent.all, []);
  });
}

Deno.test("the worker of a server's run reports to the server's onError", async () => {
  const backend = new MemoryBackend();
  const { all, onError } = new Reported();
  await using server = new AsyncToolServer({ name: "errors", version: "1.0.0", backend, onError, audit: () => {} });
  server.registerAsyncTool(JOBS.throws);
  const listening = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: listening.resolve });
  await listening.promise;
  const id = await run(backend, JOBS.throws);
  await server.close();
  await running;
  assertEquals(all.map(({ where, task }) => [where, task]), [["run a job", id]]);
});
