/** Calls the tool as a native MCP task: the SDK polls as the server advises, and progress is pushed. */
import { readResource, withServer } from "../shared/client.ts";
import { tell } from "../shared/tell.ts";

await withServer("approach3", async (client) => {
  const stream = client.experimental.tasks.callToolStream(
    { name: "generate_report", arguments: { user_id: "42" } },
    undefined,
    { task: { ttl: 600_000 }, onprogress: ({ progress, message }) => tell({ progress, message }) },
  );
  for await (const event of stream) {
    if (event.type === "error") throw event.error;
    if (event.type === "result") {
      tell({ result: event.result.structuredContent });
      tell({ resource: await readResource(client, event.result._meta?.resourceUri) });
    } else {
      tell({ status: event.task.status });
    }
  }
});
