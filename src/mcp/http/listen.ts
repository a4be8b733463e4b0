/**
 * Serves an endpoint on a port of this machine.
 *
 * @module
 */
import { getRequestListener } from "@hono/node-server";
import { createServer, type Server } from "node:http";
import { doneWithin, pause, whenAborted } from "../../waiting.ts";
import { JobsError } from "../../errors.ts";
import type { FetchInfo } from "../../tasks/audit_source.ts";
import { messageOf } from "../../text.ts";
import { nameOfAddress } from "./hosts.ts";

/** Where to listen, and until when. */
export interface ListenOptions {
  readonly port: number;
  readonly hostname: string;
  /** Called with the endpoint's URL once it is served. If it fails, the server ends. */
  readonly onListen: (url: string) => void | Promise<void>;
  /** Ends the server. */
  readonly signal: AbortSignal;
  /** How long the headers of a request may take to arrive, in ms; default 60,000. */
  readonly headersTimeout?: number;
}

/** Answers one request. */
type Fetch = (request: Request, info: FetchInfo) => Promise<Response>;

/** The URLs that the endpoint answers. Clients look under `/.well-known` for how to authenticate. */
const URLS = /^https?:\/\/[^/?#]*\/(mcp|healthz|\.well-known\/[^?#]*)([?#]|$)/;

/**
 * When the server ends, a client that takes longer than this to send its request, or to read its response, is cut off, in
 * ms. Together with the grace for open responses, this stays below the 10 s after which supervisors kill.
 */
const CUT_OFF_MS = 3_000;

/** How long the headers of a request may take to arrive, in ms. */
const HEADERS_TIMEOUT_MS = 60_000;

/** The most bytes of the headers of a request: tokens with many claims take some tens of KB. */
const HEADERS_BYTES = 65_536;

/** How long a connection without a request stays open, in ms. Load balancers keep theirs for up to 600 s. */
const KEEP_ALIVE_MS = 620_000;

/** Serves until `signal` aborts; then calls `close`, which ends the open streams, and waits until all responses are sent. */
export async function listen(
  { port, hostname, onListen, signal, headersTimeout = HEADERS_TIMEOUT_MS }: ListenOptions,
  fetch: Fetch,
  close: () => Promise<void>,
): Promise<void> {
  const sending = new Set<Promise<void>>();
  // Not `Deno.serve`: it has no time limit for headers.
  const server = createServer(
    {
      headersTimeout,
      connectionsCheckingInterval: Math.ceil(headersTimeout / 6),
      requestTimeout: 0, // The endpoint limits the time of a body.
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADERS_BYTES,
    },
    getRequestListener((request, { incoming, outgoing }) => {
      if (!URLS.test(request.url)) return new Response("Not found. MCP is served at /mcp.\n", { status: 404 });
      const gone = new AbortController();
      const { promise: sent, resolve } = Promise.withResolvers<void>();
      sending.add(sent);
      outgoing.on("close", () => {
        // No client is left to answer.
        if (!outgoing.writableFinished) gone.abort(new Error("The client is gone."));
        sending.delete(sent);
        resolve();
      });
      const remoteAddr = { transport: "tcp", hostname: incoming.socket.remoteAddress };
      return fetch(withSignal(request, gone.signal), { remoteAddr });
    }, { hostname, overrideGlobalObjects: false }),
  );
  const ended = Promise.withResolvers<void>();
  server.on("close", ended.resolve);
  const bound = await bind(server, port, hostname);
  const aborted = whenAborted(signal);
  try {
    await Promise.race([onListen(`http://${nameOfAddress(hostname)}:${bound}/mcp`), aborted]);
    await aborted;
  } finally {
    await close();
    await doneWithin(Promise.all(sending), CUT_OFF_MS);
    server.close();
    server.closeAllConnections();
    await ended.promise;
    // In the two turns after the end of a request, the library looks for a body that nobody has read.
    for (let turns = 0; turns < 2; turns++) await pause(0);
  }
}

/** Takes the port, and resolves with its number. */
async function bind(server: Server, port: number, hostname: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject);
  server.listen(port, hostname, resolve);
  try {
    await promise;
  } catch (cause) {
    const isTaken = cause instanceof Error && "code" in cause && cause.code === "EADDRINUSE";
    const why = isTaken ? "the port is taken. Pass another `port` to run." : messageOf(cause);
    throw new JobsError(`Cannot listen on ${hostname}:${port}: ${why}`, { cause });
  }
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : port;
}

/** The library aborts a request's own signal with a text. */
function withSignal(request: Request, signal: AbortSignal): Request {
  return Object.defineProperty(request, "signal", { value: signal });
}
