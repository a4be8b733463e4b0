/**
 * Answers requests on a port of this machine. It stands on `node:http`, because `Deno.serve` waits for the rest of a request
 * for as long as its client likes.
 *
 * @module
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { JobsError } from "../errors.ts";
import type { OnError } from "../log/on_error.ts";
import { doneWithin } from "../waiting.ts";
import { requestOf } from "./request.ts";
import { send } from "./send.ts";

/** Where to serve, and its limits. */
export interface ServeOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly hostname: string;
  /**
   * How long the head of a request may take to arrive, in ms; default 60,000. The whole request may take twice as long, as may
   * a client that reads nothing of what was sent to it, and the rest of a body that is not read this long.
   */
  readonly headersTimeout?: number;
  /** How often these limits are checked, in ms; default 5,000. */
  readonly checkInterval?: number;
  /** Receives the errors of handlers, which clients see as HTTP 500, and those of the port. */
  readonly onError: OnError;
}

/** Where a request came from, as `Deno.serve` says it. */
export interface RequestInfo {
  readonly remoteAddr: { readonly transport: "tcp"; readonly hostname: string; readonly port: number };
}

/** Answers a request. The request's signal aborts if its client goes before it has the whole response. */
export type Handler = (request: Request, info: RequestInfo) => Response | Promise<Response>;

const HEADERS_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MS = 5_000;

/** The most bytes of the head of a request: tokens with many claims take some tens of KB. */
const HEAD_BYTES = 65_536;

/**
 * How long a connection may stay open between two requests, in ms. Clients and load balancers drop unused connections after
 * up to 600 s: they do so first, because a request on a connection that the server is closing would be lost.
 */
const KEEP_ALIVE_MS = 620_000;

/**
 * The most requests of one connection that are not answered completely: each takes memory, and time when the connection ends.
 * A connection that has more is closed. Hardly any client sends a request before the answer to the last one.
 */
const MAX_PIPELINE = 100;

/** A connection with a request that is not answered completely. */
interface Pipeline {
  /** Begin to answer the requests that came behind it. */
  readonly waiting: (() => void)[];
  /** How many bytes its client had been sent at the last check, and since when there are no more, in ms. */
  sent: number;
  since: number;
}

/** What is served on a port. */
export class HttpServer {
  readonly #server: Server;
  readonly #handler: Handler;
  readonly #onError: OnError;
  readonly #timeout: number;
  /** One for each response that is not sent completely. */
  readonly #sending = new Set<Promise<void>>();
  /**
   * The requests of a connection are answered one after another: the responses to all of them at once would wait in memory
   * for a client that does not read.
   */
  readonly #pipelines = new Map<Socket, Pipeline>();
  readonly #checking: ReturnType<typeof setInterval>;
  /**
   * Runs what it is given in the async context of the server. In Deno 2.9, connections have that of whoever has last loaded a
   * module: here the request with the first token. The spans of all others would belong to its trace.
   */
  readonly #apart = AsyncLocalStorage.snapshot();
  readonly #finished = Promise.withResolvers<void>();
  #closing = false;
  /** Resolves once it is closed. */
  readonly finished: Promise<void> = this.#finished.promise;

  private constructor(
    server: Server,
    handler: Handler,
    { headersTimeout = HEADERS_TIMEOUT_MS, checkInterval = CHECK_INTERVAL_MS, onError }: ServeOptions,
  ) {
    this.#timeout = headersTimeout;
    this.#server = server;
    this.#handler = handler;
    this.#onError = onError;
    server.on("error", (error) => onError(error, { where: "accept HTTP connections" }));
    server.on("request", (incoming, outgoing) => this.#receive(incoming, outgoing));
    this.#checking = setInterval(() => {
      acceptAgain(server);
      this.#cutOffUnread();
    }, checkInterval);
  }

  /** Takes the port, and serves from then on. Rejects with `JobsError` if it cannot, as where the port is taken. */
  static async listen(options: ServeOptions, handler: Handler): Promise<HttpServer> {
    const { port, hostname, headersTimeout = HEADERS_TIMEOUT_MS, checkInterval = CHECK_INTERVAL_MS } = options;
    const server = createServer({
      headersTimeout,
      requestTimeout: 2 * headersTimeout,
      connectionsCheckingInterval: checkInterval,
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEAD_BYTES,
    });
    try {
      const host = freeAddress(hostname, port);
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen({ port, host }, () => {
          server.off("error", reject);
          resolve();
        });
      });
    } catch (cause) {
      const why = cause instanceof Deno.errors.AddrInUse ? "the port is taken. Pass another `port`." : `${cause}`;
      throw new JobsError(`Cannot listen on ${hostname}:${port}: ${why}`, { cause });
    }
    return new HttpServer(server, handler, options);
  }

  /** The port that it has taken. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  /**
   * Frees the port, so that a proxy sends what follows to another server. Idle connections end, the others after their
   * response: a request that came then would find nobody.
   */
  stopListening(): void {
    if (this.#closing) return;
    this.#closing = true;
    clearInterval(this.#checking);
    this.#server.close(() => this.#finished.resolve());
  }

  /** Frees the port, goes on sending open responses for up to `grace` ms, and then ends all connections. */
  async close(grace = 0): Promise<void> {
    this.stopListening();
    if (this.#sending.size > 0) await doneWithin(Promise.all(this.#sending), grace);
    this.#server.closeAllConnections();
    await this.finished;
  }

  #receive(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { socket } = incoming;
    // The rest of a pipeline may have been parsed already when its connection is closed.
    if (socket.destroyed) return;
    const pipeline = this.#pipelines.get(socket);
    // Often the body comes with the head, and has been parsed by then. It needs no stream, which would cost more time.
    const begin = () => queueMicrotask(() => this.#apart(() => void this.#answer(incoming, outgoing)));
    if (pipeline === undefined) {
      this.#pipelines.set(socket, { waiting: [], sent: 0, since: 0 });
      begin();
    } else if (pipeline.waiting.push(begin) >= MAX_PIPELINE) socket.destroy();
  }

  /** The answer to a request is over: goes on with the next one of its connection. */
  #next(socket: Socket): void {
    const begin = socket.destroyed ? undefined : this.#pipelines.get(socket)?.waiting.shift();
    if (begin) begin();
    else this.#pipelines.delete(socket);
  }

  /** Closes the connections whose clients read nothing for long. */
  #cutOffUnread(): void {
    const now = performance.now();
    for (const [socket, pipeline] of this.#pipelines) {
      const sent = socket.bytesWritten - socket.writableLength;
      if (socket.writableLength === 0 || sent !== pipeline.sent) Object.assign(pipeline, { sent, since: now });
      else if (now - pipeline.since >= 2 * this.#timeout) socket.destroy();
    }
  }

  async #answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { socket } = incoming;
    const gone = new AbortController();
    const { promise: over, resolve } = Promise.withResolvers<void>();
    const end = () => {
      socket.off("close", end);
      if (!outgoing.writableFinished) gone.abort(new Error("The client is gone."));
      this.#sending.delete(over);
      this.#next(socket);
      resolve();
      if (!incoming.complete) discard(incoming, this.#timeout);
    };
    this.#sending.add(over);
    outgoing.once("close", end);
    socket.once("close", end);
    if (socket.destroyed) end();
    const remoteAddr = {
      transport: "tcp",
      hostname: socket.remoteAddress ?? "",
      port: socket.remotePort ?? 0,
    } as const;
    try {
      await send(await this.#handler(requestOf(incoming, gone.signal), { remoteAddr }), outgoing, gone.signal);
    } catch (error) {
      this.#onError(error, { where: "answer an HTTP request" });
      if (outgoing.headersSent) outgoing.destroy();
      else outgoing.writeHead(500, ["content-type", "text/plain"]).end("Internal Server Error\n");
    }
  }
}

/**
 * The address of a name, on which the port is free. If it is not, or Deno forbids it, this throws as `Deno.serve` would:
 * `node:http` throws the latter where nobody can catch it.
 */
function freeAddress(hostname: string, port: number): string {
  const addressOf = (name: string) => {
    using listener = Deno.listen({ hostname: name, port });
    return listener.addr.hostname;
  };
  // `node:http` needs the permission for the address itself.
  return addressOf(addressOf(hostname));
}

/** Reads on to the next request of a connection, past a body that nobody needs any more, for at most `ms`. */
function discard(incoming: IncomingMessage, ms: number): void {
  const { socket } = incoming;
  const timer = setTimeout(() => socket.destroy(), ms);
  const stop = () => clearTimeout(timer);
  socket.once("close", stop);
  incoming.once("end", () => {
    stop();
    socket.off("close", stop);
  });
  if (socket.destroyed) stop();
  incoming.removeAllListeners("data").resume();
}

/**
 * Deno 2.9 accepts no connection any more after one failed because the process had no free file descriptor, and tells nobody.
 * Listening again on the same socket wakes it, and changes nothing otherwise.
 */
function acceptAgain(server: Server): void {
  const handle: unknown = Reflect.get(server, "_handle");
  if (typeof handle !== "object" || handle === null) return;
  const listen: unknown = Reflect.get(handle, "listen");
  if (typeof listen === "function") listen.call(handle, BACKLOG);
}

/** As Node sets it: how many connections the system keeps until they are accepted. */
const BACKLOG = 511;
