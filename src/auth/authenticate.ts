/**
 * The interface between a server and whatever authenticates its callers over HTTP.
 *
 * @module
 */

/** An authenticated caller. */
export interface Identity {
  /** The person or program that owns the tasks. It stays the same across clients and sessions. */
  readonly principal: string;
  /** The scopes it was granted. Plain tools find them in the SDK's `authInfo`. */
  readonly scopes?: readonly string[];
  /** The OAuth client it uses, for the audit log. Plain tools find it in the SDK's `authInfo`. */
  readonly client?: string;
  /** When the authentication expires, in ms since the epoch. Open event streams end then, too. Default: never. */
  readonly expiresAt?: number;
}

/**
 * Authenticates an HTTP request. Returns the caller's identity, or the response to send instead: a 401, or a document of
 * its own. It is called for every request except `/healthz` and preflights, once `Host` and `Origin` have passed. If it
 * throws, the caller gets 503, and the audit log gets the reason.
 */
export type Authenticate = (request: Request) => Identity | Response | Promise<Identity | Response>;
