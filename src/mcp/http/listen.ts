/**
 * Serves an endpoint on a port of this machine, with Deno's own server.
 *
 * @module
 */
import { doneWithin, whenAborted } from "../../waiting.ts";
import { JobsError } from "../../errors.ts";
import { nameOfAddress } from "./hosts.ts";

/** Where to listen, and until when. */
export interface ListenOptions {
  readonly port: number;
  readonly hostname: string;
  /** Called with the endpoint's URL once it is served. If it fails, the server ends. */
  readonly onListen: (url: string) => void | Promise<void>;
  /** Ends the server. */
  readonly signal: AbortSignal;
}

/** The URLs that the endpoint answers. Clients look under `/.well-known` for how to authenticate. */
const URLS = /^https?:\/\/[^/?#]*\/(mcp|healthz|\.well-known\/[^?#]*)([?#]|$)/;

/**
 * When the server ends, a client that takes longer than this to send its request, or to read its response, is cut off, in
 * ms. Together with the grace for open responses, this stays below the 10 s after which supervisors kill.
 */
const CUT_OFF_MS = 3_000;

/** Serves until `signal` aborts; then calls `close`, which ends the open streams, and waits until all responses are sent. */
export async function listen(
  { port, hostname, onListen, signal }: ListenOptions,
  fetch: (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Promise<Response>,
  close: () => Promise<void>,
): Promise<void> {
  const cutOff = new AbortController();
  const sending = new Set<Promise<void>>();
  const server = serve({ port, hostname, signal: cutOff.signal }, (request, info) => {
    const gone = new AbortController();
    // No client is left to answer.
    const sent = info.completed.catch(() => gone.abort(new Error("The client is gone.")))
      .finally(() => sending.delete(sent));
    sending.add(sent);
    return fetch(withSignal(request, gone.signal), info);
  });
  const aborted = whenAborted(signal);
  try {
    await Promise.race([onListen(`http://${nameOfAddress(hostname)}:${server.addr.port}/mcp`), aborted]);
    await aborted;
  } finally {
    await close();
    // Not `server.shutdown`: if what that waits for is aborted, Deno 2.9 throws an error that nobody can catch.
    await doneWithin(Promise.all(sending), CUT_OFF_MS);
    cutOff.abort();
    await server.finished;
  }
}

/** Takes the port, and serves from then on. */
function serve(
  options: { readonly port: number; readonly hostname: string; readonly signal: AbortSignal },
  fetch: (request: Request, info: Deno.ServeHandlerInfo<Deno.NetAddr>) => Promise<Response>,
): Deno.HttpServer<Deno.NetAddr> {
  try {
    return Deno.serve({ ...options, onListen: () => {} }, (request, info) => {
      if (!URLS.test(request.url)) return new Response("Not found. MCP is served at /mcp.\n", { status: 404 });
      return fetch(request, info);
    });
  } catch (cause) {
    const { hostname, port } = options;
    const why = cause instanceof Deno.errors.AddrInUse ? "the port is taken. Pass another `port` to run." : `${cause}`;
    throw new JobsError(`Cannot listen on ${hostname}:${port}: ${why}`, { cause });
  }
}

/**
 * Deno aborts a request's own signal on success, too, and warns of it on stderr. This one aborts only if the response cannot
 * be sent. If the client leaves earlier, the stream of its response is cancelled.
 */
function withSignal(request: Request, signal: AbortSignal): Request {
  return Object.defineProperty(request, "signal", { value: signal });
}
