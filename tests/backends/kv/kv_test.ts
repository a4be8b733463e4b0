import { DenoKvBackend } from "../../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { startDoomedWorker } from "../support/doomed_worker.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

exerciseBackend("kv", async (): Promise<BackendHarness> => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-test-" });
  const path = `${folder}/jobs.kv`;
  const connect = () => DenoKvBackend.open({ path, lease: LEASE });
  const backend = await connect();
  return {
    backend,
    connect,
    startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ path, lease: LEASE }, job)),
    close: async () => {
      await backend.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});
