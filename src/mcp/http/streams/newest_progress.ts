/**
 * An event stream for a client that may not read it: of the progress that waits, only the newest is kept.
 *
 * @module
 */
import { parseJSONRPCMessage } from "@modelcontextprotocol/server";
import { Backlog, progressTokenOf } from "../../messages/backlog.ts";

/** A larger event is not progress. */
const MAX_PROGRESS_BYTES = 200_000;

/** Passes an event stream on. The SDK would keep everything that its client does not read. It writes each event as one chunk. */
export function newestProgress(response: Response): Response {
  const { body, headers } = response;
  if (body === null || !headers.get("content-type")?.startsWith("text/event-stream")) return response;
  const reader = body.getReader();
  const backlog = new Backlog<Uint8Array>();
  let more = Promise.withResolvers<void>();
  const read = (async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
      backlog.push(chunk.value, progressOf(chunk.value));
      more.resolve();
    }
  })();
  let ended = false;
  // The reader learns how the stream ended, after the events that wait.
  read.then(() => {}, () => {}).finally(() => {
    ended = true;
    more.resolve();
  });
  const readable = new ReadableStream<Uint8Array>({
    async pull(controller) {
      let chunk = backlog.shift();
      while (chunk === undefined && !ended) {
        await more.promise;
        more = Promise.withResolvers();
        chunk = backlog.shift();
      }
      if (chunk !== undefined) return controller.enqueue(chunk);
      await read;
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  }, { highWaterMark: 0 });
  return new Response(readable, response);
}

function progressOf(chunk: Uint8Array): string | number | undefined {
  if (chunk.length > MAX_PROGRESS_BYTES) return undefined;
  const data = /^data: (.*)$/m.exec(new TextDecoder().decode(chunk))?.[1];
  if (!data?.includes('"notifications/progress"')) return undefined;
  return progressTokenOf(parseJSONRPCMessage(JSON.parse(data)));
}
