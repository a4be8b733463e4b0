/**
 * Tasks in `subscriptions/listen` over HTTP: the SDK's event stream, sent through the task listener.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import { MissingInternal } from "../../libraries/internals.ts";
import type { OnError } from "../../log/on_error.ts";
import { TaskListener } from "../bind.ts";
import type { Peer } from "../peer.ts";
import { messageInChunk } from "../sdk_internals.ts";
import type { Served } from "../served.ts";

/** Answers `subscriptions/listen` as `respond` does, and adds the client's tasks. */
export async function listenOverHttp(
  served: Served,
  peer: Peer,
  message: JSONRPCMessage,
  respond: (message: JSONRPCMessage) => Promise<Response>,
): Promise<Response> {
  const listener = new TaskListener(served, peer);
  const received = listener.receive(message);
  if ("answer" in received) return Response.json(received.answer, { status: 400 });
  const response = await respond(received.forward);
  const stream = response.headers.get("content-type") === "text/event-stream" ? response.body : null;
  if (stream === null) return response;
  return new Response(withTasks(stream, listener, served.tasks.onError), response);
}

/**
 * Sends each event through the listener. Writing waits until the client reads on, so that a slow client fills no memory.
 */
function withTasks(
  stream: ReadableStream<Uint8Array>,
  listener: TaskListener,
  onError: OnError,
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
    writer.close().catch(() => {}); // It is closed already.
  });
  return readable;
}
