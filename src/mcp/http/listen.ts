/**
 * Serves an endpoint on a port of this machine.
 *
 * @module
 */
import { type Handler, HttpServer, type ServeOptions } from "../../http/serve.ts";
import { whenAborted } from "../../waiting.ts";
import { nameOfAddress } from "./hosts.ts";

/** Where to listen, and until when. */
export interface ListenOptions extends ServeOptions {
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

/**
 * Serves until `signal` aborts; then frees the port, calls `close`, which ends the open streams, and waits until all
 * responses are sent.
 */
export async function listen(
  { port, hostname, onListen, onError, signal }: ListenOptions,
  fetch: Handler,
  close: () => Promise<void>,
): Promise<void> {
  const server = await HttpServer.listen({ port, hostname, onError }, (request, info) => {
    if (!URLS.test(request.url)) return new Response("Not found. MCP is served at /mcp.\n", { status: 404 });
    return fetch(request, info);
  });
  const aborted = whenAborted(signal);
  try {
    await Promise.race([onListen(`http://${nameOfAddress(hostname)}:${server.port}/mcp`), aborted]);
    await aborted;
  } finally {
    server.stopListening();
    await close();
    await server.close(CUT_OFF_MS);
  }
}
