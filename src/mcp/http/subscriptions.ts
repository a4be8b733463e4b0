/**
 * Tasks in `subscriptions/listen` over HTTP: the SDK's event stream, sent through the task listener.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { LimitExceeded } from "../../errors.ts";
import { MissingInternal } from "../../libraries/internals.ts";
import type { OnError } from "../../log/on_error.ts";
import { TaskListener } from "../bind.ts";
import type { Peer } from "../peer.ts";
import { messageInChunk } from "../sdk_internals.ts";
import type { Served } from "../served.ts";
import { eventsOf } from "./streams/events_of.ts";
import { OpenStreams } from "./streams/open_streams.ts";

export class Subscriptions {
  readonly #served: Served;
  readonly #ofOne: number;
  /** Those of each known principal who has any. */
  readonly #open = new Map<string, OpenStreams>();

  /** `ofOne` is the most that one known principal may have open. */
  constructor(served: Served, ofOne: number) {
    this.#served = served;
    this.#ofOne = ofOne;
  }

  /**
   * Answers `subscriptions/listen` as `respond` does, and adds the client's tasks. Throws `LimitExceeded` if its principal
   * has too many open already.
   */
  async answer(
    peer: Peer,
    message: JSONRPCMessage,
    respond: (message: JSONRPCMessage) => Promise<Response>,
  ): Promise<Response> {
    const { owner, known } = peer;
    if (!known) return await listenOverHttp(this.#served, peer, message, respond, () => {});
    const open = this.#open.get(owner) ?? new OpenStreams(undefined, () => this.#open.delete(owner));
    if (open.size >= this.#ofOne) throw tooMany(this.#ofOne);
    this.#open.set(owner, open);
    return await open.track((ended) => listenOverHttp(this.#served, peer, message, respond, ended));
  }
}

/** When to try again, in ms: until then subscriptions may end. */
const RETRY_MS = 60_000;

function tooMany(most: number): LimitExceeded {
  const why = `your limit of ${most} open subscriptions is reached`;
  return new LimitExceeded(
    "sessions",
    `Cannot subscribe: ${why}. End one, or try again in ${RETRY_MS / 1_000} s.`,
    RETRY_MS,
  );
}

/** `onEnd` is called once, when the response is sent completely, or its client is gone. */
async function listenOverHttp(
  served: Served,
  peer: Peer,
  message: JSONRPCMessage,
  respond: (message: JSONRPCMessage) => Promise<Response>,
  onEnd: () => void,
): Promise<Response> {
  const listener = new TaskListener(served, peer);
  const received = listener.receive(message);
  const response = "answer" in received
    ? Response.json(received.answer, { status: 400 })
    : await respond(received.forward);
  const stream = eventsOf(response);
  if (stream !== null) return new Response(withTasks(stream, listener, served.tasks.onError, onEnd), response);
  onEnd();
  return response;
}

/**
 * Sends each event through the listener. Writing waits until the client reads on, so that a slow client fills no memory.
 */
function withTasks(
  stream: ReadableStream<Uint8Array>,
  listener: TaskListener,
  onError: OnError,
  onEnd: () => void,
): ReadableStream<Uint8Array> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const over = new AbortController();
  const write = async (message: JSONRPCMessage) => {
    await writer.write(new TextEncoder().encode(`event: message\ndata: ${JSON.stringify(message)}\n\n`));
    // Nothing follows a refusal.
    if ("error" in message) over.abort();
  };
  const passed = stream.pipeTo(
    new WritableStream({
      async write(chunk) {
        const message = messageInChunk(chunk);
        if (message === undefined) await writer.write(chunk);
        else await listener.send(message, write);
      },
    }),
    { signal: over.signal },
  );
  writer.closed.catch(() => over.abort()); // The client is gone.
  passed.catch((error) => {
    // Any other end of the stream reaches its client.
    if (error instanceof MissingInternal) onError(error, { where: "serve a subscription" });
  }).finally(() => {
    listener[Symbol.dispose]();
    onEnd();
    writer.close().catch(() => {}); // It is closed already.
  });
  return readable;
}
