import { type Backend, BackendError, createWorker, defineJob, type TaskInfo } from "../../mod.ts";
import { inTime } from "../../src/backends/shared/deadline.ts";
import { newTaskId } from "../../src/ids.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { onBoth, onBothUnkilled } from "./support/outage.ts";

const OWNER = "owner";

/** Only a failing test waits this long. */
const TIMEOUT_MS = 60_000;
const timeout = () => AbortSignal.timeout(TIMEOUT_MS);

const idle = defineJob({ name: "idle", input: { type: "object" }, run: () => "done" });

function create(backend: Backend, job: string, attempts = 3): Promise<TaskInfo> {
  const retry = { attempts, delay: 50, maxDelay: 50 };
  return backend.create({ id: newTaskId(), job, owner: OWNER, input: {}, resultTtl: 60_000, retry });
}

onBoth("while the database is away, every call rejects, and nothing is stored in part", async (server) => {
  await using backend = await server.connect();
  const task = await create(backend, "waits");
  await server.kill();
  await assertRejects(() => create(backend, "waits"), BackendError);
  await assertRejects(() => create(backend, "never seen before"), BackendError);
  await assertRejects(() => backend.get(task.id, OWNER), BackendError);
  await assertRejects(() => backend.cancel(task.id, OWNER, 10), BackendError);
  await assertRejects(() => backend.list(OWNER, { limit: 10 }), BackendError);
  await server.start();
  await using other = await server.connect();
  assertEquals((await other.list(OWNER, { limit: 10 })).tasks, [task]);
  await until(
    () => backend.get(task.id, OWNER).then(() => true, () => false),
    "who was there before is connected again",
  );
});

onBothUnkilled("calls to a database that does not answer reject, and succeed once it answers again", async (server) => {
  await using backend = await server.connect();
  const task = await create(backend, "waits");
  await server.signal("SIGSTOP");
  try {
    await assertRejects(() => backend.get(task.id, OWNER), BackendError);
    await assertRejects(() => create(backend, "waits"), BackendError);
  } finally {
    await server.signal("SIGCONT");
  }
  assertEquals(await backend.get(task.id, OWNER), task);
});

onBoth("tasks that ran or waited while the database was away end once it is back, and only once", async (server) => {
  await using front = await server.connect();
  await using host = await server.connect();
  const away = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  const job = defineJob({
    name: "patient",
    input: { type: "object" },
    run: async (_, ctx) => {
      busy.resolve();
      await away.promise;
      await ctx.progress(0.5);
      return crypto.randomUUID();
    },
  });
  await using worker = createWorker(host, [job], { concurrency: 4 });
  await worker.ready;
  using feed = new TaskFeed(front);
  const tasks = await Promise.all(Array.from({ length: 12 }, () => create(front, "patient")));
  const ends = tasks.map(({ id }) => feed.wait(id, OWNER, timeout()));
  await busy.promise;
  // The waiting calls have read their tasks, and get the rest as events.
  await Promise.all(tasks.map(({ id }) => front.get(id, OWNER)));
  await server.kill();
  away.resolve();
  await server.start();
  const results = await Promise.all(ends.map(async (end) => {
    const { id, status } = await end;
    assertEquals(status, "COMPLETED");
    return await front.outcome(id, OWNER);
  }));
  // The connections work as before, and the results are the same.
  const next = await create(front, "patient");
  assertEquals((await feed.wait(next.id, OWNER, timeout())).status, "COMPLETED");
  await until(() => front.hasWorker("patient"), "the worker is known again");
  await worker.close();
  assertEquals(await Promise.all(tasks.map(({ id }) => front.outcome(id, OWNER))), results);
});

onBoth("a job that asks while the database is away gets its answer once it is back", async (server) => {
  await using backend = await server.connect();
  const away = Promise.withResolvers<void>();
  const busy = Promise.withResolvers<void>();
  const asks = defineJob({
    name: "asks",
    input: { type: "object" },
    run: async (_, ctx) => {
      busy.resolve();
      await away.promise;
      return (await ctx.elicit({ message: "Which?", schema: { type: "object" } })).action;
    },
  });
  await using worker = createWorker(backend, [asks]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  const { id } = await create(backend, "asks", 1);
  await busy.promise;
  await server.kill();
  away.resolve();
  // Once a later call is refused, so was the question.
  await assertRejects(() => backend.get(id, OWNER), BackendError);
  await server.start();
  const end = feed.wait(id, OWNER, timeout(), (task) => {
    const questions = "questions" in task ? task.questions ?? [] : [];
    const answers = Object.fromEntries(questions.map(({ key }) => [key, { action: "decline" as const }]));
    if (questions.length > 0) void backend.answer(id, OWNER, answers);
  });
  assertEquals((await end).status, "COMPLETED");
  assertEquals(await backend.outcome(id, OWNER), { kind: "value", value: "decline" });
});

onBoth("a backend with a worker closes while the database is away", async (server) => {
  const backend = await server.connect();
  const worker = createWorker(backend, [idle], { grace: 1_000 });
  await worker.ready;
  const stop = backend.watch(() => {});
  const task = await create(backend, "idle");
  using feed = new TaskFeed(backend);
  await feed.wait(task.id, OWNER, timeout());
  await server.kill();
  stop();
  await worker.close();
  await backend.close();
});

onBothUnkilled("a backend with workers closes while the database does not answer", async (server) => {
  const backend = await server.connect();
  const busy = Promise.withResolvers<void>();
  const frozen = Promise.withResolvers<void>();
  // Too large for the job, so that storing it is a call of the backend's own.
  const large = defineJob({
    name: "large",
    input: { type: "object" },
    run: async () => {
      busy.resolve();
      await frozen.promise;
      return "x".repeat(100_000);
    },
  });
  const worker = createWorker(backend, [idle, large]);
  try {
    await worker.ready;
    backend.watch(() => {});
    await create(backend, "large");
    await busy.promise;
    await server.signal("SIGSTOP");
    frozen.resolve();
    await inTime(worker.close(0).then(() => backend.close()), "the close hangs", TIMEOUT_MS);
  } finally {
    await server.signal("SIGCONT");
    await worker.close(0);
    await backend.close();
  }
});

onBothUnkilled("what a worker reports while its database does not answer names the database", async (server) => {
  await using backend = await server.connect();
  const reported = Promise.withResolvers<unknown>();
  await using worker = createWorker(backend, [idle], { onError: reported.resolve });
  await worker.ready;
  await server.signal("SIGSTOP");
  try {
    assertMatch(String(await reported.promise), /Redis|PostgreSQL/);
  } finally {
    await server.signal("SIGCONT");
  }
});

onBothUnkilled("connecting to a database that does not answer is an error", async (server) => {
  await server.signal("SIGSTOP");
  try {
    await inTime(assertRejects(() => server.connect(), BackendError), "connect hangs", TIMEOUT_MS);
  } finally {
    await server.signal("SIGCONT");
  }
});

onBoth(
  "a worker that was started while the database was away can be closed, or works once it is back",
  async (server) => {
    await using backend = await server.connect();
    await server.kill();
    const first = createWorker(backend, [idle]);
    await first.close(0);
    await using second = createWorker(backend, [idle]);
    await server.start();
    await second.ready;
    using feed = new TaskFeed(backend);
    const task = await create(backend, "idle");
    assertEquals((await feed.wait(task.id, OWNER, timeout())).status, "COMPLETED");
  },
);
