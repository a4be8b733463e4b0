/**
 * Opens the queue that a server and its workers share.
 *
 * @module
 */
import { type Backend, BullMqBackend, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { parseArgs } from "node:util";

/**
 * Opens what the options name. `--backend=kv`, the default, is the file of `--kv=<path>`, or of the environment's
 * `MCP_JOBS_KV`, or `./data/jobs.kv`. `--backend=redis` is the Redis of the environment's `REDIS_URL`, or the one on
 * localhost; `--prefix=<prefix>` keeps its keys apart.
 */
export async function openBackend(args: readonly string[] = Deno.args): Promise<Backend> {
  const text = { type: "string" } as const;
  const { backend, kv, prefix } = parseArgs({
    args: [...args],
    strict: false,
    options: { backend: { ...text, default: "kv" }, kv: text, prefix: text },
  }).values;
  // This is the one place that knows which queue it is: another one goes in here.
  switch (backend) {
    case "kv":
      return await DenoKvBackend.open({ path: String(kv ?? Deno.env.get("MCP_JOBS_KV") ?? "./data/jobs.kv") });
    case "redis": {
      const redis = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
      return await BullMqBackend.connect({ redis, ...(prefix && { prefix: String(prefix) }) });
    }
    default:
      throw new Error(`There is no backend ${JSON.stringify(backend)}. Choose one of: kv, redis.`);
  }
}
