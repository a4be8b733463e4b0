/**
 * How long a client of 2025-11-25 is told to wait before it resumes a stream.
 *
 * @module
 */
import { AsyncToolServer, MemoryBackend } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";

const CLIENTS = [
  ["node", ["retry: 5000"]],
  // Up to version 2.0, Java's SDK ends a stream at that line with "Invalid SSE response".
  ["Java-http-client/17.0.15", []],
] as const;

for (const [agent, expected] of CLIENTS) {
  Deno.test(`the first event for ${agent} has ${expected.length ? "a" : "no"} time after which to resume`, async () => {
    await using server = new AsyncToolServer({ name: "retry", version: "1.0.0", backend: new MemoryBackend() });
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
    const response = await server.fetch(
      new Request("http://localhost/mcp", {
        method: "POST",
        headers: {
          host: "localhost",
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
          "user-agent": agent,
        },
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
      }),
    );
    const lines = (await response.text()).split("\n");
    assertEquals(lines.filter((line) => line.startsWith("retry:")), [...expected]);
    assertEquals(lines.some((line) => line.startsWith("data: {")), true);
  });
}
