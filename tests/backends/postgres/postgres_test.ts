import { JobsError, PostgresBackend } from "../../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { noPostgres } from "../../../tools/postgres_server.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";
import { emptyTables } from "../../support/postgres.ts";
import { leaseFor, startDoomedWorker } from "../support/doomed_worker.ts";
import { newTask } from "../../support/tasks.ts";

if (noPostgres === undefined) {
  exerciseBackend("postgres", async (needs): Promise<BackendHarness> => {
    const lease = leaseFor(needs);
    const url = await emptyTables();
    const connect = () => PostgresBackend.connect({ url, lease });
    const backend = await connect();
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ url, lease }, job)),
      close: () => backend.close(),
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
  Deno.test({ name: `postgres (left out: ${noPostgres})`, ignore: true, fn: () => {} });
}
