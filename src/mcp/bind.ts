/**
 * Binds surfaces to the SDK's server: one call makes the server of one connection.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { quote } from "../text.ts";
import { bindExtension } from "./rev_2026_07_28/tasks.ts";
import { McpHost } from "./host.ts";
import { bindTasks } from "./rev_2025_11_25/tasks.ts";
import { bindResources } from "./resources.ts";
import { NO_TASKS } from "./generation.ts";
import type { Peer } from "./peer.ts";
import type { Served } from "./served.ts";
import { bindTools } from "./tools/tools.ts";

/** Makes the server of one connection. Each era has its own generation of tasks; the tasks behind are the same. */
export function bind(served: Served, peer: Peer, era: "legacy" | "modern"): McpHost {
  const { surface, tasks } = served;
  const host = extended(served);
  const server = host.taskServer;
  server.onUnknownMethod = (method) => tasks.refuse(peer.owner, "request", `Unknown method ${quote(method)}.`);
  const bindGeneration = era === "modern" ? bindExtension : bindTasks;
  const calls = surface.tasks ? bindGeneration(server, tasks, surface.tasks, peer) : NO_TASKS;
  bindTools(server, { surface, tasks }, peer, calls);
  // Results are subscribed to through `subscriptions/listen`, which the other era does not have.
  if (surface.templates.length > 0) bindResources(server, served, peer, era === "modern");
  return host;
}

/**
 * Throws what a connection would: `DefinitionError`, if the user adds something under a name of the surface, or adds it
 * later.
 */
export function checkExtensions(served: Served): void {
  extended(served);
}

function extended({ name, version, title, instructions, surface, extensions }: Served): McpHost {
  const host = new McpHost({ name, version, title }, { instructions }, surface);
  for (const extend of extensions) refusePromise(extend(host));
  return host;
}

/** The type of an extension lets an async function pass, but what that adds later may come after the client's first look. */
function refusePromise(returned: unknown): void {
  if (typeof returned !== "object" || returned === null || !("then" in returned)) return;
  // It goes on; what it fails with concerns nobody any more.
  Promise.resolve(returned).catch(() => {});
  throw new DefinitionError(
    "Cannot extend the server: the function given to `extend` returns a promise. Let it register without waiting, and " +
      "load what it needs before `extend`.",
  );
}
