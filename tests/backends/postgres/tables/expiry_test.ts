import { newTaskId } from "../../../../backend.ts";
import { createWorker, defineJob, PostgresBackend } from "../../../../mod.ts";
import { Database } from "../../../../src/backends/postgres/connecting/database.ts";
import { deleteExpired } from "../../../../src/backends/postgres/tables/expiry.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { noPostgres } from "../../../../tools/postgres_server.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { emptyTables } from "../../../support/postgres.ts";
import { testUnless } from "../../../support/test_unless.ts";
import { newTask } from "../../../support/tasks.ts";

testUnless(
  noPostgres,
  "the sweep of PostgreSQL deletes tasks with their logs, events and messages whose time is over, and no others",
  async () => {
    const url = await emptyTables();
    await using backend = await PostgresBackend.connect({ url });
    using feed = new TaskFeed(backend);
    await using _worker = createWorker(backend, [
      defineJob({ name: "echo", input: { type: "object" }, run: (_, ctx) => void ctx.log("done") }),
    ]);
    const end = async (resultTtl: number) => {
      const id = newTaskId();
      await backend.create(newTask({ id, job: "echo", resultTtl }));
      await feed.wait(id, "ann", AbortSignal.timeout(60_000));
      return id;
    };
    const [old, kept] = [await end(60_000), await end(600_000)];
    await backend.streams.append("stream", { id: "1", text: "old" }, 60_000);
    await backend.streams.append("stream", { id: "2", text: "kept" }, 60_000);

    await using database = await Database.open(url, "mcp_jobs", 1);
    const sweep = async () => {
      while (await deleteExpired(database, 1));
    };
    const idsIn = async (table: string) =>
      (await database.run<{ id: string }>({ text: `SELECT DISTINCT id::text FROM mcp_jobs.${table} ORDER BY id` }))
        .map(({ id }) => id);
    await sweep();
    for (const table of ["tasks", "logs"]) assertEquals(await idsIn(table), [old, kept]);

    // For an hour after the result has expired, the owner gets "expired".
    const text = "SELECT count(*)::integer AS late FROM mcp_jobs.expiries WHERE expires_at > now() + interval '1 hour'";
    assertEquals(await database.run({ text }), [{ late: 2 }]);

    const past = "now() - interval '1 hour'";
    await database.run({ text: `UPDATE mcp_jobs.expiries SET expires_at = ${past} WHERE $1::uuid = ANY(ids)` }, [old]);
    await database.run({ text: `UPDATE mcp_jobs.streams SET expires_at = ${past} WHERE id = '1'` });
    await database.run({ text: `UPDATE mcp_jobs.events SET at = ${past}` });
    await sweep();
    for (const table of ["tasks", "logs"]) assertEquals(await idsIn(table), [kept]);
    assertEquals(await database.run({ text: "SELECT ids FROM mcp_jobs.expiries" }), [{ ids: [kept] }]);
    assertEquals(await idsIn("streams"), ["2"]);
    assertEquals(await database.run({ text: "SELECT FROM mcp_jobs.events" }), []);
  },
);
