/** Calls the tool as a native MCP task: the SDK polls at the server's interval, and progress is pushed. */
import { readResource, withServer } from "../shared/client.ts";
import { printUpdate } from "../shared/update.ts";

await withServer("approach3", async (client) => {
  const stream = client.experimental.tasks.callToolStream(
    { name: "generate_report", arguments: { user_id: "42" } },
    undefined,
    { task: { ttl: 600_000 }, onprogress: ({ progress, message }) => printUpdate({ progress, message }) },
  );
  for await (const event of stream) {
    if (event.type === "error") throw event.error;
    if (event.type === "result") {
      printUpdate({ result: event.result.structuredContent });
      printUpdate({ resource: await readResource(client, event.result._meta?.resourceUri) });
    } else {
      printUpdate({ status: event.task.status });
    }
  }
});
