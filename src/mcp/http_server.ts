/**
 * Serves an endpoint on a port of this machine, with Deno's own server.
 *
 * @module
 */

/** Where to listen, and whom to tell. */
export interface ListenOptions {
  readonly port: number;
  readonly hostname: string;
  /** Hears the endpoint's URL once it is served. */
  readonly onListen: (url: string) => void;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** The URLs that the endpoint answers; `/.well-known` is where clients look for how to authenticate. */
const URLS = /^https?:\/\/[^/?#]*\/(mcp|healthz|\.well-known\/oauth-protected-resource(\/[^?#]*)?)([?#]|$)/;

/** A client that reads its last answer more slowly than this is cut off when the server ends, in ms. */
const CUT_OFF_MS = 10_000;

/** Serves until `signal` aborts; then calls `close`, which ends the open streams, and waits until all answers are sent. */
export async function listen(
  { port, hostname, onListen, signal }: ListenOptions,
  fetch: (request: Request) => Promise<Response>,
  close: () => Promise<void>,
): Promise<void> {
  const cutOff = new AbortController();
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  const server = Deno.serve(
    {
      port,
      hostname,
      signal: cutOff.signal,
      onListen: ({ port }) => onListen(`http://${host}:${port}/mcp`),
    },
    (request, { completed }) => {
      if (!URLS.test(request.url)) return new Response("Not found. MCP is served at /mcp.\n", { status: 404 });
      return fetch(withOwnSignal(request, completed));
    },
  );
  const { promise: aborted, resolve } = Promise.withResolvers<void>();
  signal.addEventListener("abort", () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await aborted;
  await close();
  const timer = setTimeout(() => cutOff.abort(), CUT_OFF_MS);
  await server.shutdown();
  clearTimeout(timer);
}

/**
 * Deno aborts a request's own signal on success, too, and warns of that on stderr. This one aborts where an answer cannot
 * be sent; that a client is gone before is told to the stream of its answer, which is cancelled.
 */
function withOwnSignal(request: Request, completed: Promise<void>): Request {
  const gone = new AbortController();
  completed.catch(() => gone.abort(new Error("The client is gone.")));
  return Object.defineProperty(request, "signal", { value: gone.signal });
}
