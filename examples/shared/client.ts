/**
 * Connects a client to the server of an example as MCP hosts do: starts the server, and talks to it over stdio.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client, type ClientOptions } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { roleCommand } from "./role.ts";
import type { Update } from "./update.ts";

/** Starts the server of an example, uses it, and stops it. */
export async function withServer(
  example: string,
  use: (client: Client) => Promise<void>,
  options?: ClientOptions,
): Promise<void> {
  const client = new Client({ name: `${example}-client`, version: "1.0.0" }, options);
  let closing: Promise<void> | undefined;
  const close = () => void (closing ??= client.close().finally(() => Deno.exit(1)));
  Deno.addSignalListener("SIGINT", close);
  Deno.addSignalListener("SIGTERM", close);
  try {
    await client.connect(new StdioClientTransport({ ...roleCommand(example, "server"), env: Deno.env.toObject() }));
    await use(client);
  } catch (error) {
    await closing; // An interrupted client does not report that its call failed.
    throw error;
  } finally {
    Deno.removeSignalListener("SIGINT", close);
    Deno.removeSignalListener("SIGTERM", close);
    await client.close();
  }
}

/** Reads the resource with a result. */
export async function readResource(client: Client, resourceUri: unknown): Promise<Required<Update>["resource"]> {
  const uri = String(resourceUri);
  const { contents: [content] } = await client.readResource({ uri });
  if (content === undefined || !("text" in content)) throw new Error(`The resource ${uri} has no text.`);
  return { uri, content: JSON.parse(content.text) };
}
