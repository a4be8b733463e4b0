/**
 * Who calls over HTTP: the seam between a server and whatever knows its users.
 *
 * @module
 */

/** Who calls. */
export interface Identity {
  /** The person or program that tasks belong to: stable, and the same whatever client or session it uses. */
  readonly principal: string;
  /** What it may do; plain tools find it in the SDK's `authInfo`. */
  readonly scopes?: readonly string[];
  /** The OAuth client that it uses, for the audit log; plain tools find it in the SDK's `authInfo`, too. */
  readonly client?: string;
  /** When it ends, in ms since the epoch; event streams that are open end then, too. Default: never. */
  readonly expiresAt?: number;
}

/**
 * Says who sends a request, or answers it: with 401 and how to do better, or with a document of its own. It is asked
 * first, for every request but `/healthz`. Where it throws, the caller gets 503, and the audit log hears why.
 */
export type Authenticate = (request: Request) => Identity | Response | Promise<Identity | Response>;
