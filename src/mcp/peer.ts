/**
 * Who is at the other end of a connection, and the owner that their tasks are stored under.
 *
 * @module
 */
import type { Identity } from "../auth/authenticate.ts";

/** Who is at the other end of a connection. */
export interface Peer {
  /** The principal that its tasks belong to. */
  readonly owner: string;
  /** Whether that is one known person or program, so that its tasks may be listed. */
  readonly known: boolean;
}

/** Without authentication all callers are one owner that nobody knows: a task id is the only key to its task. */
export const ANYBODY: Peer = { owner: "anonymous", known: false };

/** Whoever can start the server over stdio. */
export const LOCAL: Peer = { owner: "local", known: true };

/** Where a principal that cannot be an owner's name itself stands as its hash. */
const HASHED = "sha256:";

/** The longest name of an owner that a backend takes. */
const MAX_OWNER_LENGTH = 128;

/**
 * The peer behind an identity; `undefined` if it names nobody. A principal that is too long, or that has one of our own
 * names, is its hash, so that no two principals are ever one owner.
 */
export async function peerOf({ principal }: Identity): Promise<Peer | undefined> {
  if (principal === "" || !principal.isWellFormed()) return undefined;
  const ours = [ANYBODY.owner, LOCAL.owner].includes(principal) || principal.startsWith(HASHED);
  if (!ours && principal.length <= MAX_OWNER_LENGTH) return { owner: principal, known: true };
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(principal));
  return { owner: `${HASHED}${new Uint8Array(hash).toHex()}`, known: true };
}
