import { JobsError, PostgresBackend } from "../../../mod.ts";
import { Database } from "../../../src/backends/postgres/connecting/database.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { leaseFor, startDoomedWorker } from "../support/doomed_worker.ts";
import { Network } from "../support/network.ts";
import { newTask } from "../../support/tasks.ts";
import { testUnless } from "../../support/test_unless.ts";

if (noPostgres === undefined) {
  exerciseBackend("postgres", async (needs): Promise<BackendHarness> => {
    const lease = leaseFor(needs);
    const url = await emptyTables();
    const connect = () => PostgresBackend.connect({ url, lease });
    const network = needs.cut ? new Network(url) : undefined;
    const backend = await PostgresBackend.connect({ url: network?.url ?? url, lease });
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ url, lease }, job)),
      holds: async (text) => {
        await using database = await Database.open(url, "mcp_jobs", 1);
        const where = "schemaname = 'mcp_jobs' AND tablename <> 'events'";
        const tables = await database.run<{ name: string }>({
          text: `SELECT tablename AS name FROM pg_tables WHERE ${where}`,
        });
        const found = await Promise.all(
          tables.map(({ name }) =>
            database.run({ text: `SELECT FROM mcp_jobs.${name} AS one WHERE strpos(one::text, $1) > 0` }, [text])
          ),
        );
        return found.some((rows) => rows.length > 0);
      },
      cut: network && (() => network.refuse()),
      close: async () => {
        await backend.close();
        await network?.[Symbol.asyncDispose]();
      },
    };
  });

  Deno.test("postgres: a second task with the same id is a defect of the caller, not an invalid value", async () => {
    await using backend = await PostgresBackend.connect({ url: await emptyTables() });
    const task = newTask({ job: "waits" });
    await backend.create(task);
    const error = await assertRejects(() => backend.create(task), Error, "there is one of this id");
    assertEquals(error instanceof JobsError, false);
  });
} else {
  testUnless(noPostgres, "postgres", async () => {});
}
