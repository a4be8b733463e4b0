import { DenoKvBackend } from "../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../src/testing.ts";

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
    startDoomedWorker: (job) => Promise.resolve(startDoomedWorker(path, job)),
    close: async () => {
      await backend.close();
      await Deno.remove(folder, { recursive: true });
    },
  };
});

function startDoomedWorker(path: string, job: string): { kill(): Promise<void> } {
  const script = new URL("./kv_doomed_worker.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", script.pathname, path, String(LEASE), job],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  return {
    kill: async () => {
      child.kill("SIGKILL");
      await child.status;
      await child.stdin.close().catch(() => {}); // Its other end is gone.
    },
  };
}
