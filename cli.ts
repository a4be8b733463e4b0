/**
 * The command line: see and steer the tasks of all owners,
 * `deno run --no-config --allow-all --unstable-kv jsr:@mcp-jobs/mcp-jobs/cli`.
 *
 * @module
 */
export { main } from "./src/cli/process.ts";
import { main } from "./src/cli/process.ts";

if (import.meta.main) Deno.exitCode = await main(Deno.args);
