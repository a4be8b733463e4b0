/** Calls the Python worker's job like any MCP tool, and prints its progress, its result and an error. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { fileURLToPath } from "node:url";

const client = new Client({ name: "python_worker-client", version: "1.0.0" });
const server = fileURLToPath(new URL("./server.ts", import.meta.url));
await client.connect(
  new StdioClientTransport({
    command: Deno.execPath(),
    args: ["run", "--allow-all", server],
    env: Deno.env.toObject(),
  }),
);
try {
  const result = await client.callTool(
    { name: "describe_numbers", arguments: { numbers: [3, 1, 8] } },
    undefined,
    { onprogress: ({ progress, message = "" }) => console.log("progress", progress, message) },
  );
  console.log("result", JSON.stringify(result.structuredContent));
  const failed = await client.callTool({ name: "describe_numbers", arguments: { numbers: [] } });
  console.log("error", JSON.stringify(failed.content));
} finally {
  await client.close();
}
