/**
 * Who is at the other end of a connection, and the owner that their tasks are stored under.
 *
 * @module
 */
import { hash } from "node:crypto";
import type { Identity } from "../auth/authenticate.ts";
import { MAX_OWNER_LENGTH } from "../ids.ts";

/** Who is at the other end of a connection. */
export interface Peer {
  /** The principal that their tasks belong to. */
  readonly owner: string;
  /** Whether that is one known person or program, so that their tasks may be listed. */
  readonly known: boolean;
}

/** Without authentication all callers share one anonymous owner: the id of a task is the only key to it. */
export const ANONYMOUS: Peer = { owner: "anonymous", known: false };

/** Whoever started the server over stdio. */
export const LOCAL: Peer = { owner: "local", known: true };

/** Begins the owner of a principal that cannot itself be the name of an owner: its hash follows. */
const HASHED = "sha256:";

/**
 * The peer behind an identity; `undefined` if its principal is empty or not well-formed text. A principal that is too long,
 * or has one of our own names, is replaced by its hash, so that two principals never share an owner.
 */
export function peerOf({ principal }: Identity): Peer | undefined {
  if (principal === "" || !principal.isWellFormed()) return undefined;
  const ours = [ANONYMOUS.owner, LOCAL.owner].includes(principal) || principal.startsWith(HASHED);
  if (!ours && principal.length <= MAX_OWNER_LENGTH) return { owner: principal, known: true };
  return { owner: HASHED + hash("sha256", principal), known: true };
}
