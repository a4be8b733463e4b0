/**
 * Who sends a request over HTTP.
 *
 * @module
 */
import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Authenticate, Identity } from "../../auth/authenticate.ts";
import type { OnError } from "../../log/on_error.ts";
import { messageOf } from "../../text.ts";
import { ANONYMOUS, type Peer, peerOf } from "../peer.ts";
import { unavailable } from "./refusals.ts";

/** Who sent a request, in our terms and in the SDK's. */
export interface Sender {
  readonly peer: Peer;
  readonly authInfo?: AuthInfo;
  /** The OAuth client that they use. */
  readonly client?: string;
  /** When their streams end, in ms since the epoch. */
  readonly expiresAt?: number;
}

/** A request whose sender was rejected: the response, and the reason for the audit log alone. */
export interface Rejection {
  readonly response: Response;
  readonly reason: string;
}

/** Asks `authenticate` who sent a request. Without `authenticate`, every sender is anonymous. */
export async function identify(
  request: Request,
  authenticate: Authenticate | undefined,
  onError: OnError,
): Promise<Sender | Rejection> {
  if (authenticate === undefined) return { peer: ANONYMOUS };
  try {
    const identity = await authenticate(request);
    if (identity instanceof Response) {
      return { response: identity, reason: identity.headers.get("www-authenticate") ?? identity.statusText };
    }
    const { client, expiresAt } = identity;
    const peer = peerOf(identity);
    if (peer) return { peer, authInfo: authInfoOf(identity), client, expiresAt };
  } catch (error) {
    onError(error, { where: "authenticate a caller" });
    return { response: unavailable("Authentication is unavailable."), reason: messageOf(error) };
  }
  const error = "The principal is empty or not well-formed text.";
  return { response: Response.json({ error }, { status: 401 }), reason: error };
}

/** Leaves out the token itself, because nothing needs it from here on. */
function authInfoOf({ principal, client = "", scopes = [], expiresAt }: Identity): AuthInfo {
  const ends = expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt / 1_000) };
  return { token: "", clientId: client, scopes: [...scopes], ...ends, extra: { principal } };
}
