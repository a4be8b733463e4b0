/**
 * Opens the queue that a server and its workers share.
 *
 * @module
 */
import { type Backend, DenoKvBackend } from "@mcp-jobs/mcp-jobs";
import { parseArgs } from "node:util";

/** Opens what the options name: `--kv=<path>`, or the environment's `MCP_JOBS_KV`, or `./data/jobs.kv`. */
export async function openBackend(args: readonly string[] = Deno.args): Promise<Backend> {
  const { kv } = parseArgs({ args: [...args], strict: false, options: { kv: { type: "string" } } }).values;
  // This is the one place that knows which queue it is: another one goes in here.
  return await DenoKvBackend.open({ path: String(kv ?? Deno.env.get("MCP_JOBS_KV") ?? "./data/jobs.kv") });
}
