import pg from "pg";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { TaskFinished } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { emptyTables, sharedPostgres } from "../../support/postgres.ts";
import { ignored } from "../../support/errors.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";

const TASK = { owner: "ann", input: {}, resultTtl: 60_000, retry: { attempts: 1, delay: 0, maxDelay: 0 } };

testUnless(noPostgres, "PostgreSQL: a task that ends while another statement holds its place never runs", async () => {
  const url = await emptyTables();
  await using backend = await PostgresBackend.connect({ url });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { id } = await backend.create({ ...TASK, id: newTaskId(), job: "job" });
  await client.query("BEGIN; SELECT FROM mcp_jobs.queue FOR UPDATE");
  await backend.cancel(id, "ann", 0);
  await client.query("ROLLBACK");
  assertEquals((await client.query("SELECT id FROM mcp_jobs.queue")).rows, [{ id }]);

  const ran: string[] = [];
  const run = (_: unknown, ctx: { readonly id: string }) => void ran.push(ctx.id);
  await using _worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run })]);
  using feed = new TaskFeed(backend);
  const next = await backend.create({ ...TASK, id: newTaskId(), job: "job" });
  assertEquals((await feed.wait(next.id, "ann", AbortSignal.timeout(60_000))).status, "COMPLETED");
  assertEquals(ran, [next.id]);
  assertEquals((await backend.get(id, "ann")).status, "CANCELLED");
  assertEquals((await client.query("SELECT id FROM mcp_jobs.queue")).rows, []);
  await client.end();
});

testUnless(
  noPostgres,
  "PostgreSQL: claims and cancellations of the same tasks do not wait for each other",
  async () => {
    const url = await emptyTables();
    await using front = await PostgresBackend.connect({ url });
    await using host = await PostgresBackend.connect({ url });
    const ran = new Set<string>();
    const run = (_: unknown, ctx: { readonly id: string }) => void ran.add(ctx.id);
    const job = defineJob({ name: "job", input: { type: "object" }, run });
    await using worker = createWorker(host, [job], { concurrency: 100 });
    await worker.ready;
    for (let round = 0; round < 10; round++) {
      // The priorities reverse the order in which they are claimed.
      const ids = Array.from({ length: 80 }, () => newTaskId());
      const ends = await Promise.all(ids.map(async (id, index) => {
        await front.create({ ...TASK, id, job: "job", priority: 80 - index });
        // A deadlock would be a `BackendError`.
        return await front.cancel(id, "ann", 10_000).catch((error) => {
          if (!(error instanceof TaskFinished)) throw error;
          return "finished";
        });
      }));
      for (const [index, end] of ends.entries()) if (end === "finished") assertEquals(ran.has(ids[index] ?? ""), true);
    }
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: a claim that began before a pause, and cannot know of it, claims nothing if it comes behind it",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    await using other = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const jobs = ["job", "free"].map((name) => defineJob({ name, input: { type: "object" }, run: () => 1 }));
    await using worker = createWorker(backend, jobs);
    using feed = new TaskFeed(backend);
    await worker.ready;

    await client.query("BEGIN; SELECT FROM mcp_jobs.workers FOR UPDATE");
    const [task, free] = [newTaskId(), newTaskId()];
    // An idle worker claims them with their creation, which then waits, too.
    const creating = Promise.all([
      backend.create({ ...TASK, id: task, job: "job" }),
      backend.create({ ...TASK, id: free, job: "free" }),
    ]);
    const waits = async () => (await client.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount ?? 0;
    await until(async () => await waits() > 0, "the worker claims");
    const pausing = other.operator.pause("job");
    await until(async () => (await backend.operator.counts()).some(({ paused }) => paused), "the pause is stored");
    await client.query("UPDATE mcp_jobs.workers SET pauses = pauses + 1; COMMIT");
    await Promise.all([pausing, creating]);
    assertEquals((await feed.wait(free, "ann", AbortSignal.timeout(60_000))).status, "COMPLETED");
    assertEquals((await backend.get(task, "ann")).status, "PENDING");
    await other.operator.resume("job");
    assertEquals((await feed.wait(task, "ann", AbortSignal.timeout(60_000))).status, "COMPLETED");
    await client.end();
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: a pause also waits for the claim of a worker whose lease has run out meanwhile",
  async () => {
    const url = await emptyTables();
    // Long enough that the worker still has its lease when it claims, also on a busy machine.
    await using backend = await PostgresBackend.connect({ url, lease: 2_000, onError: ignored });
    await using other = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // Not in the transaction below, which would always see the same activity.
    const waits = async (query: string) => {
      const waiting = `SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%${query}%'`;
      return (await sharedPostgres().query(waiting)).length > 0;
    };
    const worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run: () => 1 })]);
    await worker.ready;

    await client.query("BEGIN; SELECT FROM mcp_jobs.workers FOR UPDATE");
    const creating = backend.create({ ...TASK, id: newTaskId(), job: "job" });
    await until(() => waits("FOR SHARE"), "the worker claims");
    const ended = "SELECT FROM mcp_jobs.workers WHERE expires_at <= clock_timestamp()";
    await until(async () => (await client.query(ended)).rows.length > 0, "its lease has run out");
    let isPaused = false;
    const pausing = other.operator.pause("job").then(() => void (isPaused = true));
    await until(async () => isPaused || await waits("pauses + 1"), "the pause waits");
    assertEquals(isPaused, false);
    await client.query("COMMIT");
    await Promise.all([pausing, creating]);
    await worker.close();
    await client.end();
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: a claim that read the time before another one began the window of a rate belongs to that window",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const [input, run] = [{ type: "object" }, () => 1];
    const rateLimit = { max: 2, per: 3_600_000 };
    const jobs = [defineJob({ name: "job", input, run, rateLimit }), defineJob({ name: "free", input, run })];
    await using _worker = createWorker(backend, jobs);
    using feed = new TaskFeed(backend);
    const create = (job: string) => backend.create({ ...TASK, id: newTaskId(), job });
    const ended = ({ id }: { readonly id: string }) => feed.wait(id, "ann", AbortSignal.timeout(60_000));
    for (let i = 0; i < 2; i++) await ended(await create("job"));
    await client.query("UPDATE mcp_jobs.limits SET since = since + 600000");
    const third = await create("job");
    for (let i = 0; i < 3; i++) await ended(await create("free"));
    assertEquals((await backend.get(third.id, "ann")).status, "PENDING");
    await client.end();
  },
);

testUnless(
  noPostgres,
  "PostgreSQL: of many jobs with limits, a worker searches only those by themselves that have tasks",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    const names = ["first", "second", "third", "free"];
    const jobs = names.map((name) =>
      defineJob({ name, input: { type: "object" }, concurrency: name === "free" ? undefined : 2, run: () => name })
    );
    await using worker = createWorker(backend, jobs, { concurrency: 8 });
    await worker.ready;
    using feed = new TaskFeed(backend);
    for (const job of ["free", "second", "free", "second"]) {
      const { id } = await backend.create({ ...TASK, id: newTaskId(), job });
      assertEquals((await feed.wait(id, "ann", AbortSignal.timeout(60_000))).status, "COMPLETED");
    }
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    // The first search of a job with limits makes its row.
    assertEquals((await client.query("SELECT job FROM mcp_jobs.limits")).rows, [{ job: "second" }]);
    await client.end();
  },
);
