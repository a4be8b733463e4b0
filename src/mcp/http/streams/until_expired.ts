/**
 * Ends event streams when the token of their client expires: what the client listens to at once, answers to requests a
 * little later.
 *
 * @module
 */
import { INTERNAL_ERROR, type JSONRPCMessage } from "@modelcontextprotocol/server";
import { type Refusal, refuse } from "../../messages/message.ts";
import { eventsOf } from "./events_of.ts";

/**
 * How much longer a request may wait for its answer after its token has expired, in ms, and the random time in which it ends
 * after that. The official clients refresh their token for each stream that ends. The stream to which a client listens ends
 * first, so the client has a new token by then: TypeScript SDK 1 cannot resume a call with an expired token, and many issuers
 * revoke both tokens after two simultaneous refreshes.
 */
const ANSWER_GRACE_MS = 10_000;
const ANSWER_SPREAD_MS = 10_000;

/** How long a wait lasts at most, in ms: a timer does not notice that the clock is set, or that the machine sleeps. */
const LONGEST_MS = 60_000;

/**
 * As `untilExpired`, for the answer to a request, which may come a little later. `request` is one that cannot be resumed: it
 * is answered with an error first, because a client may wait for the answer even though the stream has ended.
 */
export function answerUntilExpired(
  response: Response,
  expiresAt: number | undefined,
  request?: JSONRPCMessage,
): Response {
  const later = ANSWER_GRACE_MS + Math.floor(Math.random() * ANSWER_SPREAD_MS);
  return untilExpired(response, expiresAt === undefined ? undefined : expiresAt + later, request);
}

/**
 * Passes an event stream on until `expiresAt`, in ms since the epoch, or to its end if that is not given. The client sees
 * its connection end, and may come back with a new token.
 */
export function untilExpired(response: Response, expiresAt: number | undefined, request?: JSONRPCMessage): Response {
  const body = expiresAt === undefined ? null : eventsOf(response);
  if (expiresAt === undefined || body === null) return response;
  let target: TransformStreamDefaultController<Uint8Array>;
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>({
    start: (controller) => void (target = controller),
    cancel: () => clearTimeout(timer), // The client has gone, though the source may take longer to end.
  });
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wait = () => {
    const left = expiresAt - Date.now();
    if (left > 0) timer = setTimeout(wait, Math.min(left, LONGEST_MS));
    else {
      if (request && "id" in request) target.enqueue(new TextEncoder().encode(expired(request.id)));
      target.terminate(); // This cancels the source.
    }
  };
  // Both the client and the source learn how it ends otherwise.
  body.pipeTo(writable).catch(() => {}).finally(() => clearTimeout(timer));
  wait();
  return new Response(readable, response);
}

/** The event with which a request ends whose token has expired. */
function expired(id: Refusal["id"] = null): string {
  const why =
    "The token of this request has expired while it waited. Send the same request again with a new token: if " +
    "its task goes on, that receives it.";
  return `event: message\ndata: ${JSON.stringify(refuse(INTERNAL_ERROR, why, id))}\n\n`;
}
