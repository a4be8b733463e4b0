/**
 * The official client of revision 2025-11-25, connected to the fixture server over either transport.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  type CallToolResult,
  CallToolResultSchema,
  type CreateTaskResult,
  CreateTaskResultSchema,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import { fileURLToPath } from "node:url";
import { type Backend, MemoryBackend } from "../../../mod.ts";
import { serve, type Served } from "../../support/served.ts";
import { close } from "./client_2026.ts";
import { fixtureServer, type StrategyName } from "./fixture.ts";

export type TransportName = "stdio" | "http";
export { type CallToolResult, CallToolResultSchema, type Client, McpError };

/** How long a test waits for a notification before it fails, in ms. */
const NOTE_WAIT_MS = 60_000;

/** A notification as it came in. */
export interface Note {
  readonly method: string;
  readonly params?: { readonly [key: string]: unknown };
}

/** A connected client, and what was pushed to it. */
export interface Connection extends AsyncDisposable {
  readonly client: Client;
  readonly transport: StdioClientTransport | StreamableHTTPClientTransport;
  readonly notes: readonly Note[];
  /** Resolves with the first notification, past or to come, that fits. */
  note(fits: (note: Note) => boolean): Promise<Note>;
}

/** A fixture server that serves HTTP in this process. */
export interface HttpFixture extends Served {
  readonly backend: Backend;
}

/** Serves the fixture over HTTP, on any free port. */
export async function serveHttp(strategy: StrategyName): Promise<HttpFixture> {
  const backend = new MemoryBackend();
  return { ...await serve(fixtureServer(strategy, backend), { concurrency: 16 }), backend };
}

/** Connects over HTTP, and waits until the stream for pushed messages is open. */
export async function connectHttp(url: URL): Promise<Connection> {
  const streaming = Promise.withResolvers<void>();
  const transport = new StreamableHTTPClientTransport(url, {
    // Where two streams end at once, this client forgets a timer of its reconnecting.
    reconnectionOptions: {
      maxRetries: 0,
      initialReconnectionDelay: 1,
      maxReconnectionDelay: 1,
      reconnectionDelayGrowFactor: 1,
    },
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      if (init?.method === "GET") streaming.resolve();
      return response;
    },
  });
  const connection = await connect(transport);
  await streaming.promise;
  return connection;
}

/** Starts the fixture server as a process, and connects to it over stdio. */
export function connectStdio(strategy: StrategyName): Promise<Connection> {
  const server = fileURLToPath(new URL("./server.ts", import.meta.url));
  const args = ["run", "--quiet", "--allow-all", server, strategy, "stdio"];
  return connect(new StdioClientTransport({ command: Deno.execPath(), args, stderr: "ignore" }));
}

export async function connect(transport: StdioClientTransport | StreamableHTTPClientTransport): Promise<Connection> {
  const client = new Client({ name: "interop", version: "1.0.0" }, { capabilities: {} });
  const notes: Note[] = [];
  const waiting = new Set<() => void>();
  client.fallbackNotificationHandler = (note) => {
    notes.push(note);
    for (const check of waiting) check();
    return Promise.resolve();
  };
  await client.connect(transport);
  return {
    client,
    transport,
    notes,
    note: (fits) => {
      const { promise, resolve, reject } = Promise.withResolvers<Note>();
      const check = () => {
        const found = notes.find(fits);
        if (found) resolve(found);
      };
      const timer = setTimeout(() => reject(new Error(`Never came, only ${JSON.stringify(notes)}`)), NOTE_WAIT_MS);
      waiting.add(check);
      check();
      return promise.finally(() => {
        clearTimeout(timer);
        waiting.delete(check);
      });
    },
    [Symbol.asyncDispose]: () => close(client, transport),
  };
}

/** Calls a tool, as a plain call. */
export async function call(client: Client, name: string, args: Record<string, unknown> = {}): Promise<CallToolResult> {
  return CallToolResultSchema.parse(await client.callTool({ name, arguments: args }));
}

/** Calls a tool as a task, and returns the answer that creates it. */
export function start(
  client: Client,
  name: string,
  args: Record<string, unknown> = {},
  ttl?: number,
): Promise<CreateTaskResult> {
  const params = { name, arguments: args, task: { ttl } };
  return client.request({ method: "tools/call", params }, CreateTaskResultSchema);
}

/** Reads a resource, page by page where it has pages. */
export async function readPages(client: Client, uri: string): Promise<string> {
  let text = "";
  for (let next: unknown = uri; next !== undefined;) {
    const { contents: [content] } = await client.readResource({ uri: String(next) });
    if (content === undefined || !("text" in content)) throw new Error(`The resource ${next} holds no text.`);
    text += content.text;
    next = content._meta?.nextPage;
  }
  return text;
}

/** The text of a result's first block. */
export function textOf(result: CallToolResult): string {
  const [block] = result.content;
  if (block?.type !== "text") throw new Error(`Expected a text block, got ${JSON.stringify(block)}`);
  return block.text;
}
