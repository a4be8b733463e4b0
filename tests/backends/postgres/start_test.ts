/**
 * New tasks that a worker claims with their creation: the checks are those of a claim.
 *
 * @module
 */
import pg from "pg";
import { createWorker, defineJob, PostgresBackend } from "../../../mod.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { create, OWNER, untilIdle } from "../support/idle_worker.ts";

const input = { type: "object" };

/** So long that no lease is renewed while a test runs. */
const LEASE = 600_000;

interface Place {
  readonly backend: PostgresBackend;
  readonly other: PostgresBackend;
  readonly client: pg.Client;
}

function test(name: string, run: (place: Place) => Promise<void>): void {
  testUnless(noPostgres, `PostgreSQL: ${name}`, async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url, lease: LEASE });
    await using other = await PostgresBackend.connect({ url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await run({ backend, other, client });
    await client.end();
  });
}

test("a task that was claimed with its creation is listed as held, so that another worker can take it over", async ({ backend, client }) => {
  const [started, gate] = [Promise.withResolvers<string>(), Promise.withResolvers<void>()];
  const waits = defineJob({
    name: "waits",
    input,
    run: async (_, { id }) => {
      started.resolve(id);
      await gate.promise;
    },
  });
  const quick = defineJob({ name: "quick", input, run: () => 1 });
  await using worker = createWorker(backend, [waits, quick]);
  await worker.ready;
  await untilIdle(backend, "quick");
  const { id } = await create(backend, "waits");
  await started.promise;
  const { rows } = await client.query(
    "SELECT holder = ANY(ARRAY(SELECT name FROM mcp_jobs.workers)) AS held FROM mcp_jobs.claims, mcp_jobs.tasks WHERE id = $1 AND id = ANY(ids) AND holder = worker",
    [id],
  );
  assertEquals(rows, [{ held: true }]);
  gate.resolve();
});

test("a worker whose lease has run out claims no task with its creation", async ({ backend, other, client }) => {
  const quick = defineJob({ name: "quick", input, run: () => 1 });
  await using worker = createWorker(backend, [quick]);
  await worker.ready;
  await untilIdle(backend, "quick");
  await client.query("UPDATE mcp_jobs.workers SET expires_at = now() - interval '1 s'");
  const { id } = await create(backend, "quick");
  assertEquals((await other.get(id, OWNER)).status, "PENDING");
});

test("a task is not claimed with its creation behind a pause that began meanwhile", async ({ backend, other, client }) => {
  const jobs = ["job", "free"].map((name) => defineJob({ name, input, run: () => 1 }));
  await using worker = createWorker(backend, jobs);
  using feed = new TaskFeed(backend);
  await worker.ready;
  await untilIdle(backend, "free");

  await client.query("BEGIN; SELECT FROM mcp_jobs.workers FOR UPDATE");
  const creating = Promise.all(["job", "free"].map((job) => create(backend, job)));
  const waits = async () => (await client.query("SELECT FROM pg_locks WHERE NOT granted")).rowCount ?? 0;
  await until(async () => await waits() > 0, "the tasks are being stored");
  const pausing = other.operator.pause("job");
  await until(async () => (await other.operator.counts()).some(({ paused }) => paused), "the pause is stored");
  await client.query("UPDATE mcp_jobs.workers SET pauses = pauses + 1; COMMIT");
  await pausing;
  const [task, free] = (await creating).map(({ id }) => id);
  assertEquals((await feed.wait(free ?? "", OWNER, AbortSignal.timeout(60_000))).status, "COMPLETED");
  assertEquals((await backend.get(task ?? "", OWNER)).status, "PENDING");
  await other.operator.resume("job");
  assertEquals((await feed.wait(task ?? "", OWNER, AbortSignal.timeout(60_000))).status, "COMPLETED");
});
