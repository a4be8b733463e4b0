/** One client starts the task; once it waits for approval, worker and server are killed. Another client answers. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
  ElicitRequestSchema,
  GetTaskResultSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { setTimeout as pause } from "node:timers/promises";
import { withServer } from "../shared/client.ts";
import { printUpdate } from "../shared/update.ts";

let taskId = "";

await withServer("approval", async (client) => {
  const call = { name: "publish_report", arguments: { user_id: "42" }, task: { ttl: 600_000 } };
  const { task } = await client.request({ method: "tools/call", params: call }, CreateTaskResultSchema);
  taskId = task.taskId;
  printUpdate({ status: task.status });
  while (await readStatus(client) !== "input_required") await pause(100);
  printUpdate({ status: "input_required", killed: ["worker", "server"] });
  killServer(client);
});

await withServer("approval", async (client) => {
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    printUpdate({ asked: params.message });
    return { action: "accept", content: { name: "Ann" } };
  });
  const params = { taskId };
  const result = await client.request({ method: "tasks/result", params }, CallToolResultSchema, { timeout: 60_000 });
  printUpdate({ status: await readStatus(client) });
  printUpdate({ result: result.structuredContent });
}, { capabilities: { elicitation: {} } });

async function readStatus(client: Client): Promise<string> {
  return (await client.request({ method: "tasks/get", params: { taskId } }, GetTaskResultSchema)).status;
}

function killServer({ transport }: Client): void {
  if (transport instanceof StdioClientTransport && transport.pid) Deno.kill(transport.pid, "SIGKILL");
}
