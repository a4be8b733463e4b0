import { DenoKvBackend } from "../../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../../src/testing/mod.ts";
import { leaseFor, startDoomedWorker } from "../support/doomed_worker.ts";

exerciseBackend("kv", async (needs): Promise<BackendHarness> => {
  const lease = leaseFor(needs);
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-test-" });
  const path = `${folder}/jobs.kv`;
  const connect = () => DenoKvBackend.open({ path, lease });
  const backend = await connect();
  return {
    backend,
    connect,
    startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ path, lease }, job)),
    close: async () => {
      await backend.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});
