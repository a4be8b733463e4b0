/**
 * From who calls to the owner that tasks are stored under.
 *
 * @module
 */
import type { Identity } from "../auth/authenticate.ts";
import type { Peer } from "./bind.ts";

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
