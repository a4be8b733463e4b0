import { BullMqBackend } from "../../mod.ts";
import { type BackendHarness, exerciseBackend } from "../../src/testing.ts";
import { noRedis, RedisServer } from "../../tools/redis_server.ts";
import { startDoomedWorker } from "./doomed_worker.ts";

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
      startDoomedWorker: (job) => Promise.resolve(startDoomedWorker({ redis, prefix, lease: LEASE }, job)),
      close: () => backend.close(),
    };
  });
} else {
  Deno.test({ name: `bullmq (left out: ${noRedis})`, ignore: true, fn: () => {} });
}
