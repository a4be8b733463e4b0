import { BullMqBackend } from "../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../src/testing.ts";
import { noRedis, RedisServer } from "../../tools/redis_server.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

if (noRedis === undefined) {
  // One server for all cases; each has keys of its own.
  const url = Deno.env.get("REDIS_URL");
  const server = url === undefined ? await RedisServer.start() : undefined;
  const redis = url ?? server?.url ?? "";
  if (server) globalThis.addEventListener("unload", () => server.end());
  exerciseBackend("bullmq", async (): Promise<BackendHarness> => {
    const prefix = `mcp-jobs-test-${crypto.randomUUID()}`;
    const connect = () => BullMqBackend.connect({ redis, prefix, lease: LEASE });
    const backend = await connect();
    return {
      backend,
      connect,
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker(redis, prefix, job)),
      close: () => backend.close(),
    };
  });
} else {
  Deno.test({ name: `bullmq (left out: ${noRedis})`, ignore: true, fn: () => {} });
}

function startDoomedWorker(redis: string, prefix: string, job: string): { kill(): Promise<void> } {
  const script = new URL("./bullmq_doomed_worker.ts", import.meta.url);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", script.pathname, redis, prefix, String(LEASE), job],
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
