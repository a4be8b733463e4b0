/**
 * Hostile requests to the fixture server, over the network.
 *
 * @module
 */
import type { ToolCalls } from "../mcp/http/support/hostile.ts";
import { sendHostile } from "../mcp/http/support/hostile_run.ts";

/** Those that wait for a person are left out: they would hold the server's workers. */
const TOOLS: ToolCalls = [
  { name: "slow_compute", arguments: { seconds: 0, label: "a" }, _meta: { progressToken: 1 } },
  { name: "slow_compute", arguments: { seconds: 0 }, task: { ttl: 60_000 } },
  { name: "protocol_error_job", arguments: {} },
  { name: "test_tool_with_task", arguments: { name: "Ada" }, task: {} },
  { name: "greet", arguments: { name: "Ada" } },
  { name: "test_tool_with_progress", _meta: { progressToken: "a" } },
  { name: "test_input_required_result_elicitation" },
  { name: "test_elicitation", arguments: { message: "Who?" } },
  { name: "test_image_content" },
  { name: "test_error_handling" },
];

/** Sends `count` hostile requests to the server at `url`. Returns how often each status came; throws for a bad answer. */
export function fuzz(url: string, seed: number, count: number): Promise<ReadonlyMap<number, number>> {
  return sendHostile((request) => fetch(new Request(url, request)), { tools: TOOLS, seed, count });
}
