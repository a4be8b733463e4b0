import { fileURLToPath } from "node:url";
import { DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { exerciseBackend } from "@mcp-jobs/mcp-jobs/testing";

const DOOMED = fileURLToPath(new URL("support/doomed_worker.ts", import.meta.url));

exerciseBackend("kv", async ({ workersDie }) => {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-kv-test-" });
  const options = { path: `${folder}/jobs.kv`, lease: workersDie ? 900 : 600_000 };
  const connect = () => DenoKvBackend.open(options);
  const backend = await connect();
  const startDoomedWorker = (job: string) => {
    const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", DOOMED, JSON.stringify(options), job];
    const child = new Deno.Command(Deno.execPath(), { args, stdin: "piped" }).spawn();
    const kill = async () => {
      child.kill("SIGKILL");
      await child.status;
      await child.stdin.close().catch(() => {}); // Its other end is gone.
    };
    return Promise.resolve({ kill });
  };
  const holds = async (text: string) => {
    using kv = await Deno.openKv(options.path);
    const entries = await Array.fromAsync(kv.list({ prefix: [] }));
    const kept = entries.filter(({ key }) => key[1] !== "event");
    return Deno.inspect(kept, { depth: 9, iterableLimit: Infinity, strAbbreviateSize: Infinity }).includes(text);
  };
  // Windows deletes no open file.
  const lose = Deno.build.os === "windows" ? undefined : () => Deno.remove(options.path);
  const close = async () => {
    await backend.close();
    await Deno.remove(folder, { recursive: true });
  };
  return { backend, connect, startDoomedWorker, holds, lose, close };
});
