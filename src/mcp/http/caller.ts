/**
 * Who sends a request over HTTP.
 *
 * @module
 */
import type { AuthInfo } from "@modelcontextprotocol/server";
import type { Authenticate, Identity } from "../../auth/authenticate.ts";
import { messageOf } from "../../text.ts";
import { ANYBODY, type Peer, peerOf } from "../peer.ts";

/** Who calls, in our words and in the SDK's. */
export interface Caller {
  readonly peer: Peer;
  readonly authInfo?: AuthInfo;
  /** The OAuth client that is used. */
  readonly client?: string;
  /** When its streams end, in ms since the epoch. */
  readonly expiresAt?: number;
}

/** The answer to who was not let in, and why, for the operator alone. */
export interface NotLetIn {
  readonly answer: Response;
  readonly why: string;
}

/** Asks `authenticate` who sends a request. Without it nobody knows. */
export async function identify(
  request: Request,
  authenticate: Authenticate | undefined,
): Promise<Caller | NotLetIn> {
  if (authenticate === undefined) return { peer: ANYBODY };
  try {
    const identity = await authenticate(request);
    if (identity instanceof Response) {
      return { answer: identity, why: identity.headers.get("www-authenticate") ?? identity.statusText };
    }
    const { client, expiresAt } = identity;
    const peer = await peerOf(identity);
    if (peer) return { peer, authInfo: authInfoOf(identity), client, expiresAt };
  } catch (error) {
    return { answer: unavailable("It cannot be told now who calls."), why: messageOf(error) };
  }
  const error = "The principal is empty or not well-formed text.";
  return { answer: Response.json({ error }, { status: 401 }), why: error };
}

/** The token itself stays out: nothing behind this needs it. */
function authInfoOf({ principal, client = "", scopes = [], expiresAt }: Identity): AuthInfo {
  const ends = expiresAt === undefined ? {} : { expiresAt: Math.floor(expiresAt / 1_000) };
  return { token: "", clientId: client, scopes: [...scopes], ...ends, extra: { principal } };
}

/** 503, and when to try again. */
export function unavailable(error: string): Response {
  return Response.json({ status: "unavailable", error }, { status: 503, headers: { "retry-after": "5" } });
}
