/**
 * Sends responses of the Fetch standard with `node:http`.
 *
 * @module
 */
import type { ServerResponse } from "node:http";

/** Streams, which are sent as they come. All else is sent in one piece: as a stream it would cost more time. */
const STREAMS = /^(text\/event-stream|application\/x-ndjson)\b/;

/** Headers of one connection (RFC 9110, section 7.6.1). They are the server's business. */
const OF_CONNECTION: readonly string[] = ["connection", "keep-alive", "transfer-encoding"];

/** The most of a response that is sent in one piece, in bytes. */
const PIECE_BYTES = 262_144;

/** RFC 9110, section 8.6: responses without a length. */
const WITHOUT_LENGTH: readonly number[] = [204, 304];

/** Sends a response, and resolves once the last of it is on its way, or `gone` has aborted. */
export async function send(response: Response, outgoing: ServerResponse, gone: AbortSignal): Promise<void> {
  const { status } = response;
  const headers: string[] = [];
  response.headers.forEach((value, name) => {
    if (!OF_CONNECTION.includes(name) && name !== "content-length") headers.push(name, value);
  });
  const isStream = STREAMS.test(response.headers.get("content-type") ?? "");
  if (isStream && response.body !== null && outgoing.req.method !== "HEAD") {
    // Not awaited: a stream may take hours, and nothing else of the response need be kept for it.
    return sendStream(response.body, outgoing.writeHead(status, headers), gone);
  }
  const body = await response.bytes();
  if (!WITHOUT_LENGTH.includes(status)) headers.push("content-length", String(body.length));
  outgoing.writeHead(status, headers);
  // In pieces, so that it can be seen whether the client reads.
  if (body.length > PIECE_BYTES && outgoing.req.method !== "HEAD") {
    return sendStream(ReadableStream.from(piecesOf(body)), outgoing, gone);
  }
  outgoing.end(body);
}

function* piecesOf(body: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

/** Sends a stream, no faster than its client reads. */
async function sendStream(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  gone: AbortSignal,
): Promise<void> {
  const reader = body.getReader();
  let readOn = () => {};
  const leave = () => {
    readOn();
    // It may have ended already.
    reader.cancel(gone.reason).catch(() => {});
  };
  gone.addEventListener("abort", leave);
  if (gone.aborted) leave();
  outgoing.on("drain", () => readOn());
  // Nothing may come for long.
  outgoing.flushHeaders();
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      const isFull = !outgoing.write(next.value);
      if (isFull && !gone.aborted) await new Promise<void>((resolve) => readOn = resolve);
    }
    outgoing.end();
  } catch {
    // Who made the stream knows why it broke; its client sees that it did.
    outgoing.destroy();
  }
}
