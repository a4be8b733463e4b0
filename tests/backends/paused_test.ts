import { type Backend, createWorker, defineJob, type TaskInfo } from "../../mod.ts";
import { TaskFeed } from "../../src/tasks/feed.ts";
import { pause, turn } from "../../src/waiting.ts";
import { assertEquals } from "../../tools/std.ts";
import { stopFor } from "../support/processes.ts";
import { newTask } from "../support/tasks.ts";
import { onBothUnkilled } from "./support/outage.ts";

const OWNER = "owner";

/** Longer than the database may take for anything, and than a lease. */
const STOP_MS = 6_000;
const LEASE = 3_000;

function create(backend: Backend, job: string): Promise<TaskInfo> {
  return backend.create(newTask({ job, owner: OWNER }));
}

onBothUnkilled(
  "calls that were under way when their process was stopped are answered once it goes on",
  async (server) => {
    await using backend = await server.connect();
    await create(backend, "waits");
    // Of so many, some are sent at once, and others wait for their turn.
    const creating = Array.from({ length: 2_000 }, () => create(backend, "waits"));
    await turn();
    stopFor(STOP_MS);
    const ends = await Promise.allSettled(creating);
    assertEquals(new Set(ends.flatMap((end) => end.status === "rejected" ? String(end.reason) : [])), new Set());
  },
);

/** Runs tasks in two workers, which both miss the end of their lease in `sleep`. Each task must run only once. */
async function runThrough(
  connect: () => Promise<Backend>,
  sleep: () => Promise<void> | void,
): Promise<void> {
  await using front = await connect();
  await using host = await connect();
  await using other = await connect();
  const [allRun, over] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const runs: string[] = [];
  const job = defineJob({
    name: "sleeps",
    input: { type: "object" },
    run: async (_, { id }) => {
      runs.push(id);
      if (runs.length === 8) allRun.resolve();
      await over.promise;
    },
  });
  await using one = createWorker(host, [job], { concurrency: 4 });
  await using two = createWorker(other, [job], { concurrency: 4 });
  await Promise.all([one.ready, two.ready]);
  using feed = new TaskFeed(front);
  const tasks = await Promise.all(Array.from({ length: 8 }, () => create(front, "sleeps")));
  await allRun.promise;
  await sleep();
  await pause(LEASE); // In this time each has looked for dead workers.
  over.resolve();
  const ends = await Promise.all(tasks.map(({ id }) => feed.wait(id, OWNER, AbortSignal.timeout(60_000))));
  assertEquals(ends.map(({ status }) => status), tasks.map(() => "COMPLETED"));
  assertEquals(runs.toSorted(), tasks.map(({ id }) => id).toSorted());
}

onBothUnkilled("workers that were stopped for longer than their lease go on with their tasks", async (server) => {
  await runThrough(() => server.connect(LEASE), () => stopFor(STOP_MS));
});

onBothUnkilled(
  "workers whose database has answered nobody for longer than their lease go on with their tasks",
  async (server) => {
    await runThrough(() => server.connect(LEASE), async () => {
      await server.signal("SIGSTOP");
      await pause(STOP_MS);
      await server.signal("SIGCONT");
    });
  },
);
