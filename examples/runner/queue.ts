/**
 * The queue of one run: made before its processes start, and gone when they have ended.
 *
 * @module
 */
import type { RunQueue } from "./run_queue.ts";

/** What the runner can run on. */
export const BACKENDS: readonly string[] = ["kv", "redis", "postgres"];

/** Makes the queue. Rejects with the signal's reason if the run ends before it is there. */
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
