/**
 * What the person who starts a server over HTTP is told.
 *
 * @module
 */
import { writeLine } from "../log/stderr.ts";
import { isThisMachine, nameOfAddress } from "../mcp/http/hosts.ts";
import type { RunOptions, ServerOptions } from "./options.ts";

/** Tells where MCP is served, to `onListen` or on stderr. Warns on stderr if everybody who reaches the port may call. */
export async function announce(
  url: string,
  hostname: string,
  { name, authenticate }: Pick<ServerOptions, "name" | "authenticate">,
  onListen: RunOptions["onListen"],
): Promise<void> {
  if (authenticate === undefined && !isThisMachine(hostname)) writeLine(openPort(name, hostname, new URL(url).port));
  if (onListen) return await onListen(url);
  writeLine(serving(url, hostname));
}

/** The line that says where MCP is served. The URL of a server that listens on all addresses does not show that. */
export function serving(url: string, hostname: string): string {
  const isEverywhere = nameOfAddress(hostname) === "localhost" && !isThisMachine(hostname);
  return `Serving MCP on ${url}${isEverywhere ? `, listening on all addresses (${hostname})` : ""}`;
}

function openPort(name: string, hostname: string, port: string): string {
  return `mcp-jobs: ${name} listens on ${hostname}, port ${port}, without \`authenticate\`: anyone who reaches this port ` +
    "can start its jobs, and read and cancel the tasks whose ids they know. Pass `authenticate` to AsyncToolServer, or " +
    'leave `hostname` of run at "127.0.0.1".';
}
