/**
 * The official 2025-11-25 client takes an error for no answer, and asks for the rest of its stream: that there is none
 * must be told at once.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { assertEquals, assertRejects } from "../../tools/std.ts";
import { serveHttp } from "./support/client.ts";

Deno.test("after an error the official client asks once for the rest of the stream, and is told that there is none", async () => {
  await using http = await serveHttp("operation");
  const gets: number[] = [];
  const errors: string[] = [];
  const asked = Promise.withResolvers<void>();
  const transport = new StreamableHTTPClientTransport(http.url, {
    reconnectionOptions: {
      maxRetries: 2,
      initialReconnectionDelay: 1,
      maxReconnectionDelay: 1,
      reconnectionDelayGrowFactor: 1,
    },
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      if (new Headers(init?.headers).has("last-event-id")) {
        gets.push(response.status);
        asked.resolve();
      }
      return response;
    },
  });
  const client = new Client({ name: "errors", version: "1.0.0" }, { capabilities: {} });
  client.onerror = (error) => void errors.push(error.message);
  await client.connect(transport);
  await assertRejects(() => client.callTool({ name: "fault", arguments: {} }), Error, "The engine is on fire.");
  await asked.promise;
  // Whatever came of the answer to that would have come before those of later requests.
  for (let i = 0; i < 5; i++) await client.callTool({ name: "ping", arguments: {} });
  await client.close();
  assertEquals([gets, errors], [[405], []]);
});
