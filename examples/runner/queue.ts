/**
 * The queue of one run: opened before its processes start, and removed after they have ended.
 *
 * @module
 */
import type { RunQueue } from "./run_queue.ts";

/** The backends that the runner supports. */
export const BACKENDS: readonly string[] = ["kv", "redis", "postgres"];

/** Opens the queue. Rejects with the signal's reason if the run ends before that. */
export async function openQueue(backend: string, signal: AbortSignal): Promise<RunQueue> {
  if (backend === "redis") {
    const { openRedisQueue } = await import("./redis_queue.ts");
    return await openRedisQueue(signal);
  }
  if (backend === "postgres") {
    const { openPostgresQueue } = await import("./postgres_queue.ts");
    return await openPostgresQueue();
  }
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-" });
  return {
    options: ["--backend=kv", `--kv=${folder}/jobs.kv`],
    env: {},
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}
