/**
 * Tasks in `subscriptions/listen` over HTTP: the SDK's event stream, with the task listener in it.
 *
 * @module
 */
import { type JSONRPCMessage, parseJSONRPCMessage } from "@modelcontextprotocol/server";
import type { Peer, Served } from "./bind.ts";
import { TaskListener } from "./task_listener.ts";

const EVENT = "event: message\ndata: ";

/** A client that does not read what it listens to is let go: it listens anew, and hears where its tasks stand. */
const MAX_BEHIND = 256;

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
  return new Response(stream.pipeThrough(withTasks(listener)), response);
}

/** The SDK writes each event, and each comment that keeps the stream alive, as one chunk. */
function withTasks(listener: TaskListener): TransformStream<Uint8Array, Uint8Array> {
  const close = () => listener[Symbol.dispose]();
  return new TransformStream({
    async transform(chunk, controller) {
      const text = new TextDecoder().decode(chunk);
      if (!text.startsWith(EVENT)) return controller.enqueue(chunk);
      await listener.pass(parseJSONRPCMessage(JSON.parse(text.slice(EVENT.length))), (message) => {
        if ((controller.desiredSize ?? 0) < -MAX_BEHIND) {
          close();
          controller.error(new Error(`The client is more than ${MAX_BEHIND} events behind.`));
        } else controller.enqueue(new TextEncoder().encode(`${EVENT}${JSON.stringify(message)}\n\n`));
        // Nothing comes behind a refusal.
        if ("error" in message) controller.terminate();
        return Promise.resolve();
      });
    },
    flush: close,
    cancel: close,
  });
}
