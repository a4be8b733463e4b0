/** A client of SDK 1 that makes plain calls, as most of today's clients do. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type Caller, INFO } from "./caller.ts";
import { untilResult } from "./handle.ts";

/** Connects it. From then on it checks answers against the tools' output schemas. */
export async function connectSdk1(url: URL): Promise<Caller> {
  const client = new Client(INFO);
  await client.connect(new StreamableHTTPClientTransport(url));
  const tools = (await client.listTools()).tools.map(({ name }) => name);
  return {
    run: (tool, args, onprogress) =>
      untilResult(
        tool,
        args,
        tools,
        (name, args) => client.callTool({ name, arguments: args }, undefined, { onprogress }),
      ),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
