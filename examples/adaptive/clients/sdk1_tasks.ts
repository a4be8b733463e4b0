/** A client of SDK 1 that calls tools as tasks of revision 2025-11-25. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Update } from "../../shared/update.ts";
import { type Arguments, type Caller, INFO } from "./caller.ts";

/** Connects it. */
export async function connectSdk1Tasks(url: URL): Promise<Caller> {
  const client = new Client(INFO);
  await client.connect(new StreamableHTTPClientTransport(url));
  return { run: (tool, args) => followTask(client, tool, args), [Symbol.asyncDispose]: () => client.close() };
}

/** The SDK polls at the interval that the task names. */
async function* followTask(client: Client, tool: string, args: Arguments): AsyncGenerator<Update> {
  const task = { ttl: 600_000 };
  for await (
    const event of client.experimental.tasks.callToolStream({ name: tool, arguments: args }, undefined, { task })
  ) {
    if (event.type === "error") throw event.error;
    if (event.type === "taskCreated") yield { answer: "task", status: event.task.status };
    if (event.type === "result") yield { answer: "result", result: event.result.structuredContent };
  }
}
