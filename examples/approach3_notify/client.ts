/** Calls the tool as a native MCP task and does not poll: it waits until the server says that the task has ended. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  CallToolResultSchema,
  CreateTaskResultSchema,
  TaskStatusNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { readResource, withServer } from "../shared/client.ts";
import { printUpdate } from "../shared/update.ts";

await withServer("approach3_notify", async (client) => {
  const { promise: finished, resolve } = Promise.withResolvers<void>();
  client.setNotificationHandler(TaskStatusNotificationSchema, ({ params: { status } }) => {
    printUpdate({ status });
    if (["completed", "failed", "cancelled"].includes(status)) resolve();
  });

  const { task, _meta } = await client.request(
    {
      method: "tools/call",
      params: { name: "generate_report", arguments: { user_id: "42" }, task: { ttl: 600_000 } },
    },
    CreateTaskResultSchema,
    { onprogress: ({ progress, message }) => printUpdate({ progress, message }) },
  );
  printUpdate({ status: task.status });
  await finished;

  const { structuredContent } = await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
  printUpdate({ result: structuredContent });
  printUpdate({ resource: await readResource(client, _meta?.resourceUri) });
});
