/**
 * The source of an HTTP request. The endpoint knows it and the audit log needs it, wherever in between the request is
 * served or refused.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Audit, AuditSource } from "./audit.ts";

/** What is known of a request besides its contents; `Deno.serve` passes it to its handler. */
export interface FetchInfo {
  /** Where it came from: the audit log has `hostname` as the address. */
  readonly remoteAddr?: { readonly transport?: string; readonly hostname?: string };
}

const sources = new AsyncLocalStorage<AuditSource>();

const NO_SOURCE: AuditSource = {};

/** Runs `act` for a request from this source, which has nothing of another request; an empty one: for no request. */
export function fromSource<T>(source: AuditSource, act: () => T): T {
  return sources.run(source, act);
}

/** Runs `act` for the same request, of whose source this is known, too. */
export function alsoFrom<T>(source: AuditSource, act: () => T): T {
  return sources.run({ ...sources.getStore(), ...source }, act);
}

/** The source of the present request; an empty one: there is none. */
export function presentSource(): AuditSource {
  return sources.getStore() ?? NO_SOURCE;
}

/** Adds the source of the request to each event. */
export function withSource(audit: Audit): Audit {
  return (event) => audit({ ...event, ...sources.getStore() });
}

/** The part of a session's id that the audit log contains. */
export function sessionMark(id: string): string {
  return id.slice(0, 8);
}
