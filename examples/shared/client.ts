/**
 * Connects a client to the server of an example the way MCP hosts do: it starts the server, and talks to it over stdio.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { roleCommand } from "./role.ts";
import type { Update } from "./tell.ts";

/** Starts the server of an example, uses it, and ends it. */
export async function withServer(example: string, use: (client: Client) => Promise<void>): Promise<void> {
  const client = new Client({ name: `${example}-client`, version: "1.0.0" });
  let leaving: Promise<void> | undefined;
  const leave = () => void (leaving ??= client.close().finally(() => Deno.exit(1)));
  Deno.addSignalListener("SIGINT", leave);
  Deno.addSignalListener("SIGTERM", leave);
  try {
    await client.connect(new StdioClientTransport({ ...roleCommand(example, "server"), env: Deno.env.toObject() }));
    await use(client);
  } catch (error) {
    await leaving; // Who leaves is not told that a call was broken off by that.
    throw error;
  } finally {
    Deno.removeSignalListener("SIGINT", leave);
    Deno.removeSignalListener("SIGTERM", leave);
    await client.close();
  }
}

/** Reads the resource that holds a result. */
export async function readResource(client: Client, resourceUri: unknown): Promise<Required<Update>["resource"]> {
  const uri = String(resourceUri);
  const { contents: [content] } = await client.readResource({ uri });
  if (content === undefined || !("text" in content)) throw new Error(`The resource ${uri} holds no text.`);
  return { uri, content: JSON.parse(content.text) };
}
