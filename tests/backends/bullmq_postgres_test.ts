import { BackendError, BullMqBackend } from "../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../src/testing.ts";
import { noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { assertRejects } from "../../tools/std.ts";
import { startDoomedWorker } from "./doomed_worker.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

if (noPostgres === undefined) {
  // One server for all cases; each has a database of its own.
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.end());
  const migrated = await server.makeDatabase();
  await BullMqBackend.migrate({ postgres: migrated });

  exerciseBackend("bullmq on PostgreSQL", async (): Promise<BackendHarness> => {
    const postgres = await server.makeDatabase(new URL(migrated).pathname.slice(1));
    const connect = () => BullMqBackend.connect({ postgres, lease: LEASE });
    const backend = await connect();
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ postgres, lease: LEASE }, job)),
      close: async () => {
        await backend.close();
        await server.dropDatabase(postgres);
      },
    };
  });

  Deno.test("bullmq on PostgreSQL: a database that was not migrated is refused, with the way to do it", async () => {
    const postgres = await server.makeDatabase();
    await assertRejects(() => BullMqBackend.connect({ postgres }), BackendError, "BullMqBackend.migrate");
    await BullMqBackend.migrate({ postgres });
    await BullMqBackend.migrate({ postgres });
    await using _backend = await BullMqBackend.connect({ postgres });
  });
} else {
  Deno.test({ name: `bullmq on PostgreSQL (left out: ${noPostgres})`, ignore: true, fn: () => {} });
}
