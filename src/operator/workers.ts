/**
 * A worker, as operators see it.
 *
 * @module
 */
import type { WorkerInfo } from "../backend.ts";

/** A worker of this process that starts now, with a name that no other worker has. */
export function newWorker(jobs: readonly string[]): Omit<WorkerInfo, "running"> {
  return { name: crypto.randomUUID(), host: hostName(), pid: Deno.pid, jobs, since: Date.now() };
}

/** The name of this machine; "unknown" without the permission to read it. It never asks for the permission. */
function hostName(): string {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "hostname" });
  return state === "granted" ? Deno.hostname() : "unknown";
}
