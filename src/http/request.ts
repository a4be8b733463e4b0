/**
 * Requests of `node:http` as those of the Fetch standard.
 *
 * @module
 */
import { Buffer } from "node:buffer";
import type { IncomingMessage } from "node:http";

/** What `fetch` takes `incoming` for. `signal` becomes that of the request. */
export function requestOf(incoming: IncomingMessage, signal: AbortSignal): Request {
  const { method = "GET", url: target = "/", rawHeaders, headers: { host = "localhost" } } = incoming;
  const init: RequestInit = { method };
  if (method !== "GET" && method !== "HEAD") Object.assign(init, { body: bodyOf(incoming), duplex: "half" });
  // RFC 9112, section 3.2.2: a proxy may send the whole URL.
  const url = /^https?:/i.test(target) ? target : `http://${host}${target}`;
  const request = newRequest(url, init);
  // `new Request` would convert each of them several times.
  for (let i = 1; i < rawHeaders.length; i += 2) request.headers.append(rawHeaders[i - 1] ?? "", rawHeaders[i] ?? "");
  // Passing the signal to `new Request` takes as long as all the rest.
  return withProperties(request, { signal });
}

function newRequest(url: string, init: RequestInit): Request {
  try {
    return new Request(url, init);
  } catch {
    // `Request` takes no invalid Host header, for example, and no TRACE. The handler sees both here, and refuses the request.
    return withProperties(new Request("http://localhost/"), { url, method: init.method });
  }
}

function withProperties(request: Request, values: { readonly [name: string]: unknown }): Request {
  for (const [name, value] of Object.entries(values)) Object.defineProperty(request, name, { value });
  return request;
}

/** The body, at once if all of it has arrived. */
function bodyOf(incoming: IncomingMessage): BodyInit | null {
  if (!incoming.complete) return streamOf(incoming);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  for (let chunk = incoming.read(); chunk !== null; chunk = incoming.read()) chunks.push(chunk);
  const [first] = chunks;
  return chunks.length > 1 ? Buffer.concat(chunks) : first ?? null;
}

/** The body as it arrives, no faster than it is read. */
function streamOf(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  let isRead = false;
  let isWanted = true;
  return new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (isRead) return void incoming.resume();
      isRead = true;
      incoming.on("error", (error) => isWanted && controller.error(error));
      incoming.on("end", () => isWanted && controller.close());
      incoming.on("data", (chunk: Uint8Array) => {
        if (!isWanted) return;
        incoming.pause();
        controller.enqueue(chunk);
      });
    },
    cancel: () => {
      isWanted = false;
      incoming.resume();
    },
  }, { highWaterMark: 0 });
}
