import { PostgresBackend } from "../../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { noPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { startDoomedWorker } from "../support/doomed_worker.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

if (noPostgres === undefined) {
  // One database for all cases; each has a schema of its own.
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.end());
  const url = await server.makeDatabase();
  let cases = 0;

  exerciseBackend("postgres", async (): Promise<BackendHarness> => {
    const place = { url, schema: `case ${++cases}` };
    await PostgresBackend.migrate(place);
    const connect = () => PostgresBackend.connect({ ...place, lease: LEASE });
    const backend = await connect();
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ ...place, lease: LEASE }, job)),
      close: () => backend.close(),
    };
  });
} else {
  Deno.test({ name: `postgres (left out: ${noPostgres})`, ignore: true, fn: () => {} });
}
