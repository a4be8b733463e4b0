/**
 * A question with a field that no form has a word for reaches the person behind the official clients all the same.
 *
 * @module
 */
import { Client as Modern, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { AsyncToolServer, MemoryBackend, OperationResourceStrategy } from "../../mod.ts";
import { assertEquals } from "../../tools/std.ts";

const CALLS = ["asks", "is_told"] as const;
const ID = "019a0000-0000-7000-8000-000000000000";
const INFO = { name: "forms", version: "1.0.0" };
const schema = z.object({ id: z.uuid() });

/** A server with a job that asks, and one that is told before it begins. */
async function serve(connect: (url: URL) => Promise<void>): Promise<void> {
  const server = new AsyncToolServer({
    ...INFO,
    backend: new MemoryBackend(),
    strategy: new OperationResourceStrategy(),
    audit: () => {},
  });
  server.asyncTool({ name: "asks", input: z.object({}) }, async (_, ctx) => {
    const answer = await ctx.elicit({ message: "Which?", schema });
    return answer.action === "accept" ? answer.content : { action: answer.action };
  });
  server.asyncTool({ name: "is_told", input: schema, askFor: { id: "Which?" } }, (input) => input);
  const listening = Promise.withResolvers<string>();
  const running = server.run({ transport: "http", port: 0, worker: {}, onListen: listening.resolve });
  try {
    await connect(new URL(await listening.promise));
  } finally {
    await server.close();
    await running;
  }
}

Deno.test("the official 2025-11-25 client asks the person for an id, in a job and before it", () =>
  serve(async (url) => {
    const client = new Client(INFO, { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: { id: ID } }));
    await client.connect(new StreamableHTTPClientTransport(url));
    for (const name of CALLS) {
      assertEquals((await client.callTool({ name, arguments: {} })).structuredContent, { id: ID }, name);
    }
    await client.close();
  }));

Deno.test("the official 2026-07-28 client asks the person for an id, in a job and before it", () =>
  serve(async (url) => {
    const versionNegotiation = { mode: { pin: "2026-07-28" } };
    const client = new Modern(INFO, { capabilities: { elicitation: {} }, versionNegotiation });
    client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { id: ID } }));
    await client.connect(new ModernTransport(url));
    for (const name of CALLS) {
      assertEquals((await client.callTool({ name, arguments: {} })).structuredContent, { id: ID }, name);
    }
    await client.close();
  }));
