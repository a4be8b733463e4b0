/**
 * Where a request over HTTP comes from. The endpoint knows it, and the audit log tells it, wherever in between something
 * is done for the request or refused.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Audit, AuditSource } from "./audit.ts";

/** What is known of a request beside itself; `Deno.serve` gives it to its handler. */
export interface FetchInfo {
  /** Where it came from: `hostname` is the address that the audit log tells. */
  readonly remoteAddr?: { readonly transport?: string; readonly hostname?: string };
}

const sources = new AsyncLocalStorage<AuditSource>();

/** Does something for a request from there. More may be known of it than before. */
export function fromSource<T>(source: AuditSource, act: () => T): T {
  return sources.run({ ...sources.getStore(), ...source }, act);
}

/** An audit log that is also told where the request came from. */
export function withSource(audit: Audit): Audit {
  return (event) => audit({ ...event, ...sources.getStore() });
}

/** What the audit log is told of a session's id. */
export function sessionMark(id: string): string {
  return id.slice(0, 8);
}
