/**
 * The official clients in TypeScript.
 *
 * @module
 */
import { Client as ModernClient, StreamableHTTPClientTransport as ModernHttp } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { close, connect as connectWithTasks, StdioTransport } from "../../interop/support/client_2026.ts";
import type { Json } from "../../../mod.ts";
import type { Answer, Session, Target } from "./session.ts";

/** The limit of each call, in ms, where a client has one: the default is a minute. */
const LIMIT_MS = 2_000;

const INFO = { name: "table", version: "1.0.0" };

/** Where a stream ends with its call, SDK 1 forgets a timer of its reconnecting. */
export const NO_RECONNECTION = {
  maxRetries: 0,
  initialReconnectionDelay: 1,
  maxReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
};

/** SDK 1, revision 2025-11-25, without tasks. `limits` are those of its calls, in order; the last is that of all others. */
export async function sdk1({ url, command, args }: Target, ...limits: readonly number[]): Promise<Session> {
  let calls = 0;
  const client = new Client(INFO);
  const transport = url
    ? new StreamableHTTPClientTransport(url, { reconnectionOptions: NO_RECONNECTION })
    : new StdioClientTransport({ command, args: [...args], stderr: "ignore" });
  await client.connect(transport);
  await client.listTools(); // It then checks what the tools return.
  return {
    call: (name, args) =>
      unlessTimedOut(async () => {
        const { structuredContent } = await client.callTool({ name, arguments: args }, undefined, {
          timeout: limits[calls++] ?? limits.at(-1) ?? LIMIT_MS,
        });
        return structuredContent as Answer;
      }),
    [Symbol.asyncDispose]: () => close(client, transport),
  };
}

/** SDK 2, revision 2026-07-28, without tasks. */
export async function sdk2({ url, command, args }: Target): Promise<Session> {
  const client = new ModernClient(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  const transport = url ? new ModernHttp(url) : new StdioTransport({ command, args: [...args], stderr: "ignore" });
  await client.connect(transport);
  await client.listTools();
  return {
    call: (name, args) =>
      unlessTimedOut(async () => {
        const { structuredContent } = await client.callTool({ name, arguments: args }, { timeout: LIMIT_MS });
        return structuredContent as Answer;
      }),
    [Symbol.asyncDispose]: () => close(client, transport),
  };
}

/** SDK 2 with ext-tasks, which follows the task of a call by itself. */
export async function extTasks({ url, command, args }: Target): Promise<Session> {
  const transport = url ? new ModernHttp(url) : new StdioTransport({ command, args: [...args], stderr: "ignore" });
  const { tasks, ...connection } = await connectWithTasks(transport, { pin: "2026-07-28" });
  return {
    call: async (name, args) => {
      await using execution = await tasks.callTool(name, { ...args } as Record<string, Json>);
      const { outcome } = await execution.settle();
      if (outcome.status !== "completed") throw new Error(`The task has ended as ${outcome.status}.`);
      return Reflect.get(outcome.result as object, "structuredContent");
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function unlessTimedOut(call: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Error && /timed out/.test(error.message)) return undefined;
    throw error;
  }
}
