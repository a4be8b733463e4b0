/**
 * Every use of what the MCP SDK does not promise. Each member is looked up by name as this file is loaded: a version of the
 * SDK without it stops the program at its start, with an error that names it.
 *
 * @module
 */
import {
  type JSONRPCMessage,
  McpServer,
  parseJSONRPCMessage,
  type Result,
  Server,
  type ServerContext,
  type StandardSchemaV1,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import { isObject } from "../json.ts";
import { whileHeld } from "./messages/held.ts";
import { inRequestTime } from "./messages/request_time.ts";
import { internalOf, isFunction, isString, MissingInternal } from "../libraries/internals.ts";

const SDK = "@modelcontextprotocol/server";

/** The SDK's low-level server, whose handlers can be looked up, and set past its checks of a tool result's shape. */
export class OpenServer extends Server {
  /** Whether the next handler is set unwrapped. Only declared: the SDK's constructor sets handlers before fields are set. */
  declare private unwrapped: boolean | undefined;

  handlerOf(method: string): ReturnType<Server["_getRequestHandler"]> {
    return this._getRequestHandler(method);
  }

  /** Sets a handler whose result is sent unchanged. The SDK's wrapper would add `content: []` to a created task. */
  setOwnHandler<P extends StandardSchemaV1>(
    method: string,
    params: P,
    handler: (params: StandardSchemaV1.InferOutput<P>, ctx: ServerContext) => Promise<Result>,
  ): void {
    this.unwrapped = true;
    this.setRequestHandler(method, { params }, handler);
    if (this.unwrapped) throw new MissingInternal(SDK, "Server.setRequestHandler that calls _wrapHandler");
  }

  /** Whether this server works on a request of the client with this id. */
  isWorkingOn(id: string | number): boolean {
    return internalOf(SDK, "Server", this, "_requestHandlerAbortControllers", isMap<unknown, unknown>).has(id);
  }

  /** Whether this server waits for the client's answer to a request of its own with this id. */
  isWaitingFor(id: string | number): boolean {
    return internalOf(SDK, "Server", this, "_responseHandlers", isMap<unknown, unknown>).has(Number(id));
  }

  /** Numbers the requests of this server from here on. The SDK would begin with 0, in each process that has the session. */
  numberRequestsFrom(first: number): void {
    internalOf(SDK, "Server", this, "_requestMessageId", isNumber);
    Reflect.set(this, "_requestMessageId", first);
  }

  protected override _wrapHandler(
    method: string,
    handler: Parameters<Server["_wrapHandler"]>[1],
  ): ReturnType<Server["_wrapHandler"]> {
    const { unwrapped } = this;
    this.unwrapped = false;
    const wrapped = unwrapped ? handler : super._wrapHandler(method, handler);
    return (request, ctx) => {
      return whileHeld(ctx.http?.req, () => inRequestTime(method, this, ctx, () => wrapped(request, ctx)));
    };
  }
}

/** Makes the low-level server that an `McpServer` has made for itself one of a class of ours: it takes none from outside. */
export function becomeOpen(mcp: McpServer, kind: typeof OpenServer): void {
  const server: unknown = Reflect.get(mcp, "server");
  if (!(server instanceof Server) || Object.getPrototypeOf(server) !== Server.prototype) {
    throw new MissingInternal(SDK, "McpServer.server, a plain Server");
  }
  Object.setPrototypeOf(server, kind.prototype);
}

/** The streams of a Streamable HTTP transport, as the transport itself keeps them. */
export interface TransportStreams {
  /** The name of the stream of each request that is worked on. */
  readonly ofRequest: Map<string | number, string>;
  /** The streams that the client reads now, by their names. */
  readonly open: ReadonlyMap<unknown, unknown>;
  /** The name of the stream for what no request asked for. */
  readonly standalone: string;
  /** Sets how long the client is told to wait before it resumes a stream, in ms; `undefined` tells it nothing. */
  setRetry(ms: number | undefined): void;
  /** Sends an empty event for its id, if the stream is open and the client's revision has such events. */
  sendId(stream: string, revision: string): Promise<void>;
}

/** Finds the streams of a transport, which has a `retryInterval`; they stay up to date. */
export function streamsOf(transport: WebStandardStreamableHTTPServerTransport): TransportStreams {
  const find = <T>(name: string, is: (value: unknown) => value is T) =>
    internalOf(SDK, "WebStandardStreamableHTTPServerTransport", transport, name, is);
  const open = find("_streamMapping", isMap<unknown, unknown>);
  const sendEmpty = find("writePrimingEvent", isFunction);
  find("_retryInterval", isNumber);
  return {
    ofRequest: find("_requestToStreamMapping", isMap<string | number, string>),
    open,
    standalone: find("_standaloneSseStreamId", isString),
    setRetry: (ms) => void Reflect.set(transport, "_retryInterval", ms),
    async sendId(stream, revision) {
      const to = open.get(stream);
      if (!isObject(to)) return;
      await Reflect.apply(sendEmpty, transport, [to.controller, to.encoder, stream, revision]);
    },
  };
}

/**
 * The message in a chunk of an event stream; `undefined` for a comment that keeps the stream alive. The SDK writes each
 * event as one chunk.
 */
export function messageInChunk(chunk: Uint8Array): JSONRPCMessage | undefined {
  const text = new TextDecoder().decode(chunk);
  if (text.startsWith(":")) return undefined;
  const data = /^event: message\ndata: ([^\n]*)\n\n$/.exec(text)?.[1];
  if (data === undefined) throw new MissingInternal(SDK, "event stream that has one message in each chunk");
  return parseJSONRPCMessage(JSON.parse(data));
}

/** Throws if the requests of a server cannot be found. */
function checkRequests(server: OpenServer): void {
  server.isWorkingOn(0);
  server.isWaitingFor(0);
  server.numberRequestsFrom(0);
}

function isNumber(value: unknown): value is number {
  return typeof value === "number";
}

function isMap<K, V>(value: unknown): value is Map<K, V> {
  return value instanceof Map;
}

for (const name of ["_getRequestHandler", "_wrapHandler"]) {
  internalOf(SDK, "Server", Server.prototype, name, isFunction);
}
becomeOpen(new McpServer({ name: "check", version: "0" }), OpenServer);
checkRequests(new OpenServer({ name: "check", version: "0" }));
streamsOf(new WebStandardStreamableHTTPServerTransport({ retryInterval: 0 }));
