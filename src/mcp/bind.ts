/**
 * Binds surfaces to the SDK's server: one call makes the server of one connection.
 *
 * @module
 */
import type { JSONRPCMessage, ProtocolEra } from "@modelcontextprotocol/server";
import { DefinitionError } from "../errors.ts";
import { quote } from "../text.ts";
import { McpHost, TaskServer } from "./host.ts";
import type { Peer } from "./peer.ts";
import { bindResources } from "./resources.ts";
import { bindConnection as bind2025 } from "./rev_2025_11_25/connection.ts";
import { bindConnection as bind2026, calledTool, StatelessConnection } from "./rev_2026_07_28/connection.ts";
import type { BindRevision } from "./revision.ts";
import type { Served } from "./served.ts";
import { bindTool, bindTools, mayCall } from "./tools/tools.ts";

// What the transports need from a revision.
export { waitsForJob } from "./rev_2026_07_28/connection.ts";
export { TaskListener } from "./rev_2026_07_28/listener.ts";

/** The revisions by era, which is all that the SDK says of a connection. All of them work on the same tasks. */
const REVISIONS: { readonly [era in ProtocolEra]: BindRevision } = { legacy: bind2025, modern: bind2026 };

/** Makes the server of one connection. */
export function bind(served: Served, peer: Peer, era: ProtocolEra): McpHost {
  const { surface, tasks } = served;
  const host = extended(served);
  const server = host.taskServer;
  server.onUnknownMethod = (method) => tasks.refuse(peer.owner, "request", `Unknown method ${quote(method)}.`);
  const connection = REVISIONS[era](server, served, peer);
  bindTools(server, served, peer, connection);
  if (surface.templates.length > 0) bindResources(server, served, peer, connection);
  return host;
}

/**
 * Makes the server of a single request, as each has one of its own over HTTP. For a call of one of our tools it
 * has only that tool: it lives as long as the call waits, and does not need what extensions register.
 */
export function bindRequest(served: Served, peer: Peer, message: JSONRPCMessage | undefined): McpHost | TaskServer {
  const tool = calledTool(served.surface, message);
  if (tool === undefined || !mayCall(tool, peer)) return bind(served, peer, "modern");
  const { name, version, title } = served;
  const server = new TaskServer({ name, version, title });
  bindTool(server, tool, served, peer, new StatelessConnection(served, peer));
  return server;
}

/**
 * Throws the `DefinitionError` that a connection would, if an extension uses a name of the surface, or registers
 * asynchronously.
 */
export function checkExtensions(served: Served): void {
  extended(served);
}

function extended({ name, version, title, instructions, surface, extensions }: Served): McpHost {
  const host = new McpHost({ name, version, title }, { instructions }, surface);
  for (const extend of extensions) refusePromise(extend(host));
  return host;
}

/** The type of an extension allows an async function, but what that registers later may miss the first requests. */
function refusePromise(returned: unknown): void {
  if (typeof returned !== "object" || returned === null || !("then" in returned)) return;
  // It keeps running; whether it fails no longer matters.
  Promise.resolve(returned).catch(() => {});
  throw new DefinitionError(
    "Cannot extend the server: the function given to `extend` returns a promise. Let it register without waiting, and " +
      "load what it needs before `extend`.",
  );
}
