/** A client of SDK 2 that makes plain calls in revision 2026-07-28. */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type Caller, INFO } from "./caller.ts";
import { untilResult } from "./handle.ts";

/** Connects it. From then on it checks answers against the tools' output schemas. */
export async function connectSdk2(url: URL): Promise<Caller> {
  const client = new Client(INFO, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(new StreamableHTTPClientTransport(url));
  const tools = (await client.listTools()).tools.map(({ name }) => name);
  return {
    run: (tool, args, onprogress) =>
      untilResult(tool, args, tools, (name, args) => client.callTool({ name, arguments: args }, { onprogress })),
    [Symbol.asyncDispose]: () => client.close(),
  };
}
