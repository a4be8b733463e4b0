/**
 * New tasks that are claimed with their creation, because a worker of the same process has a free slot.
 *
 * @module
 */
import { newTaskId } from "../../backend.ts";
import { type Backend, createWorker, defineJob, DenoKvBackend, PostgresBackend, type TaskInfo } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { noPostgres } from "../../tools/postgres_server.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { emptyTables } from "../support/postgres.ts";
import { until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";

const OWNER = "ann";
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
      const folder = await Deno.makeTempDir();
      const path = `${folder}/jobs.kv`;
      {
        await using backend = await DenoKvBackend.open({ path });
        await using other = await DenoKvBackend.open({ path });
        await run({ backend, other });
      }
      await Deno.remove(folder, { recursive: true });
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

async function create(backend: Backend, input = {}): Promise<TaskInfo> {
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  return await backend.create({ id: newTaskId(), job: JOB, owner: OWNER, input, resultTtl: 60_000, retry });
}

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
  const events = (id: string) =>
    seen.map((of) => of.get(id)?.map(({ status, revision, attempt }) => [status, revision, attempt]));
  // A worker that may have more to do queues it: then it is PENDING first.
  for (let tries = 1; true; tries++) {
    assert(tries < 100, "No task was claimed with its creation.");
    const task = await create(backend, { text: "é\0" });
    assertEquals([task.status, task.revision], ["PENDING", 1]);
    const isSeen = () => seen.every((of) => of.get(task.id)?.at(-1)?.status === "COMPLETED");
    await until(() => Promise.resolve(isSeen()), "both processes have seen its end");
    const [here, there] = events(task.id);
    if (here?.length === 3) continue;
    const claimedAtOnce = [["RUNNING", 2, 1], ["COMPLETED", 3, 1]];
    assertEquals([here, there], [claimedAtOnce, claimedAtOnce]);
    const outcome = { kind: "value", value: { input: { text: "é\0" }, attempt: 1 } };
    assertEquals([await backend.outcome(task.id, OWNER), await other.outcome(task.id, OWNER)], [outcome, outcome]);
    break;
  }
});

test("a task of a paused job is not begun with its creation", async ({ backend, other }) => {
  await using worker = createWorker(backend, [echo]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  await ended(feed, await create(backend));
  await other.operator.pause(JOB);
  const seen = observe(backend);
  const task = await create(backend);
  await other.operator.resume(JOB);
  await ended(feed, task);
  assertEquals(seen.get(task.id)?.map(({ status }) => status), ["PENDING", "RUNNING", "COMPLETED"]);
});

test("more tasks at once than there are slots all run, each once", async ({ backend }) => {
  await using worker = createWorker(backend, [echo], { concurrency: 3 });
  await worker.ready;
  using feed = new TaskFeed(backend);
  await ended(feed, await create(backend));
  const tasks = await Promise.all(Array.from({ length: 20 }, () => create(backend)));
  await Promise.all(tasks.map((task) => ended(feed, task)));
  const counts = await backend.operator.counts();
  assertEquals(counts.map(({ job, counts }) => [job, counts.COMPLETED]), [[JOB, 21]]);
});
