/**
 * New tasks that are claimed with their creation, because a worker of the same process has a free slot.
 *
 * @module
 */
import { type Backend, createWorker, defineJob, DenoKvBackend, PostgresBackend, type TaskInfo } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { noPostgres } from "../../tools/postgres_server.ts";
import { assertEquals } from "../../tools/std.ts";
import { emptyTables } from "../support/postgres.ts";
import { until } from "../support/processes.ts";
import { create, OWNER, untilIdle } from "./support/idle_worker.ts";
import { testUnless } from "../support/test_unless.ts";
import { TempFolder } from "../support/temp_folder.ts";

const JOB = "echo";

interface Place {
  readonly backend: Backend;
  /** The same tasks, as another process sees them. */
  readonly other: Backend;
}

const STORES: readonly {
  readonly name: string;
  readonly unless: string | undefined;
  readonly use: (run: (place: Place) => Promise<void>) => Promise<void>;
}[] = [
  {
    name: "kv",
    unless: undefined,
    use: async (run) => {
      await using folder = await TempFolder.make();
      const path = `${folder.path}/jobs.kv`;
      {
        await using backend = await DenoKvBackend.open({ path });
        await using other = await DenoKvBackend.open({ path });
        await run({ backend, other });
      }
    },
  },
  {
    name: "postgres",
    unless: noPostgres,
    use: async (run) => {
      const url = await emptyTables();
      await using backend = await PostgresBackend.connect({ url });
      await using other = await PostgresBackend.connect({ url });
      await run({ backend, other });
    },
  },
];

function test(name: string, run: (place: Place) => Promise<void>): void {
  for (const store of STORES) testUnless(store.unless, `${store.name}: ${name}`, () => store.use(run));
}

const echo = defineJob({ name: JOB, input: { type: "object" }, run: (input, { attempt }) => ({ input, attempt }) });

/** What a process has seen of tasks, by id. */
function observe(backend: Backend): ReadonlyMap<string, readonly TaskInfo[]> {
  const seen = new Map<string, TaskInfo[]>();
  backend.watch((event) => {
    if (event.kind === "change") seen.set(event.task.id, [...seen.get(event.task.id) ?? [], event.task]);
  });
  return seen;
}

async function ended(feed: TaskFeed, { id }: TaskInfo): Promise<void> {
  assertEquals((await feed.wait(id, OWNER, AbortSignal.timeout(60_000))).status, "COMPLETED");
}

test("a task that is created beside a free slot runs without being queued, and every process sees the same of it", async ({ backend, other }) => {
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  const seen = [observe(backend), observe(other)];
  const input = { text: "é\0" };
  const isSeen = (id: string) => seen.every((of) => of.get(id)?.at(-1)?.status === "COMPLETED");
  let task: TaskInfo;
  do {
    task = await untilIdle(backend, JOB, { input });
    assertEquals([task.status, task.revision], ["PENDING", 1]);
    await until(() => isSeen(task.id), "both processes have seen its end");
    // On a busy machine its own process may hear of the claim of a queued task before it hears of its creation.
  } while (seen[1]?.get(task.id)?.[0]?.status === "PENDING");
  for (const of of seen) {
    const events = of.get(task.id)?.map(({ status, revision, attempt }) => [status, revision, attempt]);
    assertEquals(events, [["RUNNING", 2, 1], ["COMPLETED", 3, 1]]);
  }
  const outcome = { kind: "value", value: { input, attempt: 1 } };
  assertEquals([await backend.outcome(task.id, OWNER), await other.outcome(task.id, OWNER)], [outcome, outcome]);
});

test("of starts with one key at the same moment, in two processes, one task is claimed with its creation", async ({ backend, other }) => {
  await using worker = createWorker(backend, [echo]);
  await using another = createWorker(other, [echo]);
  await Promise.all([worker.ready, another.ready]);
  using feed = new TaskFeed(backend);
  for (let round = 1; round <= 5; round++) {
    await Promise.all([untilIdle(backend, JOB), untilIdle(other, JOB)]);
    const key = { name: `key ${round}`, window: 60_000 };
    const starts = Array.from({ length: 10 }, (_, index) => create(index % 2 ? backend : other, JOB, { key }));
    const tasks = await Promise.all(starts);
    assertEquals(new Set(tasks.map(({ id }) => id)).size, 1);
    for (const task of tasks.slice(0, 1)) await ended(feed, task);
  }
});

test("a task of a paused job is not begun with its creation", async ({ backend, other }) => {
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  await ended(feed, await create(backend, JOB));
  await other.operator.pause(JOB);
  const seen = observe(backend);
  const task = await create(backend, JOB);
  await other.operator.resume(JOB);
  await ended(feed, task);
  assertEquals(seen.get(task.id)?.map(({ status }) => status), ["PENDING", "RUNNING", "COMPLETED"]);
});

test("more tasks at once than there are slots all run, each once", async ({ backend }) => {
  await using worker = createWorker(backend, [echo], { concurrency: 3 });
  await worker.ready;
  using feed = new TaskFeed(backend);
  await ended(feed, await create(backend, JOB));
  const tasks = await Promise.all(Array.from({ length: 20 }, () => create(backend, JOB)));
  await Promise.all(tasks.map((task) => ended(feed, task)));
  const counts = await backend.operator.counts();
  assertEquals(counts.map(({ job, counts }) => [job, counts.COMPLETED]), [[JOB, 21]]);
});
