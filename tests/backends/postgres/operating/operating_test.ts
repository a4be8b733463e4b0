import type { NewTask } from "../../../../backend.ts";
import { type Backend, createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { deleteExpired } from "../../../../src/backends/postgres/tables/expiry.ts";
import { isFinished, type TaskInfo } from "../../../../src/task.ts";
import { noPostgres, PostgresServer } from "../../../../tools/postgres_server.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { until } from "../../../support/processes.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";

const QUICK = defineJob({ name: "quick", input: { type: "object" }, run: () => "done" });

function taskOf(job: string, change: Partial<NewTask> = {}): NewTask {
  return newTask({ job, owner: 'a"n"n', ...change });
}

/** Creates a task and waits until it is finished. */
async function finish(backend: Backend, job: string): Promise<TaskInfo> {
  const { promise, resolve } = Promise.withResolvers<TaskInfo>();
  const task = taskOf(job);
  const stop = backend.watch((event) => {
    if (event.kind === "change" && event.task.id === task.id && isFinished(event.task)) resolve(event.task);
  });
  await backend.create(task);
  return await promise.finally(stop);
}

/** Copies a task `copies` times, with ids of their own that are newer than its own. */
async function copy({ run }: Database, { id }: TaskInfo, copies: number): Promise<void> {
  const newId = `(left(id::text, 14) || '7' || lpad(to_hex(n), 3, '0') || right(id::text, 18))`;
  await run({
    text: `INSERT INTO mcp_jobs.tasks (id, owner, job, version, state, record, input, outcome)
      SELECT ${newId}::uuid, owner, job, version, state, replace(record, id::text, ${newId}), input, outcome
      FROM mcp_jobs.tasks, generate_series(1, $2::integer) AS n WHERE id = $1::uuid`,
  }, [id, copies]);
  await run({
    text:
      `INSERT INTO mcp_jobs.counts (job, state, tasks) SELECT job, state, $2 FROM mcp_jobs.tasks WHERE id = $1::uuid`,
  }, [id, copies]);
}

testUnless(
  noPostgres,
  "PostgreSQL: what an operator counts and finds outlives sweeps",
  async (t) => {
    await using server = await PostgresServer.start();
    const url = await server.makeDatabase();
    await PostgresBackend.migrate({ url });
    await using database = await Database.open(url, "mcp_jobs", 1);
    const sql = <Row>(text: string) => database.run<Row>({ text });
    const rowsOf = async (table: string) => (await sql<object>(`SELECT FROM mcp_jobs.${table}`)).length;

    {
      await using backend = await PostgresBackend.connect({ url });
      const { operator } = backend;
      await using worker = createWorker(backend, [QUICK]);
      for (let i = 0; i < 3; i++) await finish(backend, QUICK.name);
      const cancelled = await backend.create(taskOf("waits"));
      await backend.cancel(cancelled.id, cancelled.owner, 0);
      await backend.create(taskOf("waits", { delay: 3_600_000 }));
      await worker.close();
      const counts = await operator.counts();

      await t.step("a sweep makes one row of all that was counted for a job in one state", async () => {
        while (await deleteExpired(database, 100));
        assertEquals(await rowsOf("counts"), 3);
        assertEquals(await operator.counts(), counts);
      });

      await t.step("tasks that have expired leave the counts and marks once they are deleted", async () => {
        await sql(`UPDATE mcp_jobs.expiries SET expires_at = now() - interval '1 hour'`);
        while (await deleteExpired(database, 100));
        assertEquals((await operator.counts()).map(({ job, counts }) => [job, counts.PENDING]), [["waits", 1]]);
        assertEquals(await rowsOf("marks"), 0);
      });
    }

    // The server counts what a connection has done when it closes.
    await t.step("updates of tasks leave the indexes alone", async () => {
      const updates = async () =>
        (await sql<{ all: number; hot: number }>(
          `SELECT n_tup_upd::integer AS all, n_tup_hot_upd::integer AS hot FROM pg_stat_user_tables
            WHERE schemaname = 'mcp_jobs' AND relname = 'tasks'`,
        ))[0] ?? { all: 0, hot: 0 };
      await until(async () => (await updates()).all >= 4, "PostgreSQL has counted the updates");
      const { all, hot } = await updates();
      assertEquals(all - hot, 0);
    });

    await t.step(
      "if few of many tasks match, each page reads a bounded number, and the last one has the rest",
      async () => {
        await using backend = await PostgresBackend.connect({ url });
        const { operator } = backend;
        await using worker = createWorker(backend, [QUICK]);
        for (let i = 0; i < 8; i++) await copy(database, await finish(backend, QUICK.name), 4_000);
        await worker.close();
        assertEquals(await operator.tasks({ job: QUICK.name, status: "FAILED" }), { tasks: [] });
        const pages: number[] = [];
        let cursor: string | undefined;
        do {
          const page = await operator.tasks({ job: "waits", owner: 'a"n"n', cursor });
          pages.push(page.tasks.length);
          cursor = page.nextCursor;
        } while (cursor !== undefined);
        assertEquals(pages, [0, 1]); // The oldest one.
      },
    );

    await t.step("a purge of many pages deletes and counts all of them", async () => {
      await using backend = await PostgresBackend.connect({ url });
      const [tick] = await sql<{ tasks: number }>(
        `SELECT count(*)::integer AS tasks FROM mcp_jobs.tasks WHERE state = 'COMPLETED'`,
      );
      assert(tick && tick.tasks > 2_000);
      assertEquals(await backend.operator.purge({ status: "COMPLETED", before: Infinity }), tick.tasks);
      assertEquals((await backend.operator.counts()).map(({ job }) => job), ["waits"]);
    });
  },
);
