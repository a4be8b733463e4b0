/**
 * The official SDK's server, extended: what a user registers through the SDK's own API stays reachable behind our
 * handlers, and our results reach the wire unchanged.
 *
 * @module
 */
import {
  type Implementation,
  type JSONRPCMessage,
  McpServer,
  type RegisteredResource,
  type RegisteredResourceTemplate,
  type RegisteredTool,
  type ResourceTemplate,
  type Result,
  type ServerContext,
  type ServerOptions,
  type Transport,
} from "@modelcontextprotocol/server";
import { DefinitionError } from "../errors.ts";
import { prefixOf } from "../exposure/resources/uris.ts";
import type { Surface } from "../exposure/surface.ts";
import type { Json } from "../task.ts";
import { cancelledBy } from "./messages/message.ts";
import { sendable } from "./messages/sendable.ts";
import { inSentSpan } from "./messages/sent_span.ts";
import { becomeOpen, OpenServer } from "./sdk_internals.ts";

export type RequestContext = ServerContext;

/** A transport with several streams, which knows which of them the client reads. */
export interface StreamTransport extends Transport {
  /** The name of the stream on which the client now receives what belongs to a request; `undefined` while it is broken. */
  openStreamOf(requestId: string | number): string | undefined;
  /** When the client has closed that stream, in ms since the epoch; `undefined` while it is open. */
  closedAt(requestId: string | number): number | undefined;
  /** Says what to process in place of a request if this process is killed: the client keeps that for us. */
  substitute(requestId: string | number, request: Substitute): void;
  /** Ends the stream of a request without an answer: the client resumes it in another process. */
  leave(requestId: string | number): Promise<void>;
}

/** What to process in place of a request. */
export interface Substitute {
  readonly method: string;
  readonly params: { readonly [key: string]: unknown };
}

/** Answers a request for an extension. */
export type PlainHandler = (params: Record<string, unknown>, ctx: RequestContext) => Promise<Result>;

/** The SDK's low-level server, with elicitations whose answers any process may take. */
export class TaskServer extends OpenServer {
  /** Receives the answer to an elicitation, `undefined` for an error. Returns whether the id was that of an elicitation. */
  onAnswer?: (id: string, result: unknown) => boolean;

  /** Called with the method of a request that has no handler. */
  onUnknownMethod?: (method: string) => void;

  /** Called with a request that the client gives up, and its reason; the request may be answered already. */
  onCancelled?: (id: string | number, reason: unknown) => void;

  /** Whether a request has just been answered. Its client may cancel it before it receives the answer. */
  hasJustAnswered?: (id: string | number) => boolean;

  /** Called before an elicitation is replayed to a client that resumes a stream. Returns whether to replay it. */
  onReplay?: (id: string, stream: string) => boolean;

  /** The handler that an extension has set for a method so far, as a function of the parameters. */
  plainHandler(method: string): PlainHandler | undefined {
    const handle = this.handlerOf(method);
    return handle && ((params, ctx) => handle({ jsonrpc: "2.0", id: ctx.mcpReq.id, method, params }, ctx));
  }

  /** Connects. From then on answers to elicitations go to `onAnswer`, and what is sent is made readable for clients. */
  override async connect(transport: Transport): Promise<void> {
    await super.connect(transport);
    const { onmessage } = transport;
    const send = transport.send.bind(transport);
    transport.send = (message, options) => inSentSpan(sendable(message), (traced) => send(traced, options));
    transport.onmessage = (message, extra) => {
      if ("method" in message && "id" in message && this.handlerOf(message.method) === undefined) {
        this.onUnknownMethod?.(message.method);
      }
      const cancelled = cancelledBy(message);
      if (cancelled) this.onCancelled?.(cancelled.id, cancelled.reason);
      const ours = !("method" in message) && typeof message.id === "string" &&
        this.onAnswer?.(message.id, "result" in message ? message.result : undefined);
      if (!ours) onmessage?.(message, extra);
    };
  }

  /**
   * Sends `elicitation/create` under an id of ours, on the stream of an open request. The SDK numbers its own requests and
   * waits for their answers in this process; the answer to this one goes to `onAnswer`, in whichever process it arrives.
   */
  async sendElicitation(id: string, params: Record<string, unknown>, relatedRequestId: string | number): Promise<void> {
    if (this.transport === undefined) throw new Error("Cannot send an elicitation: the connection is closed.");
    await this.transport.send({ jsonrpc: "2.0", id, method: "elicitation/create", params }, { relatedRequestId });
  }

  /**
   * Sends a notification about an elicitation, on the stream on which that was sent or, if the client no longer reads it, on
   * the standalone one.
   */
  async notifyAsked(method: string, params: Record<string, Json>, relatedRequestId: string | number): Promise<void> {
    const isOpen = this.openStreamOf(relatedRequestId) !== undefined;
    await this.transport?.send({ jsonrpc: "2.0", method, params }, isOpen ? { relatedRequestId } : {});
  }

  /** The transport, if it has several streams. One with a single stream, as stdio, ends with its process. */
  get streams(): StreamTransport | undefined {
    return this.transport && hasStreams(this.transport) ? this.transport : undefined;
  }

  /** As that of a transport with several streams. A single stream is open for as long as it is connected. */
  openStreamOf(requestId: string | number): string | undefined {
    return this.streams ? this.streams.openStreamOf(requestId) : "all";
  }

  /**
   * Whether a message of the client is meant for another process of the session: it cancels a request that this process
   * neither works on nor has just answered, or answers a request that this process has not sent.
   */
  isForOther(message: JSONRPCMessage): boolean {
    const cancelled = cancelledBy(message);
    if (cancelled) return !this.isWorkingOn(cancelled.id) && !this.hasJustAnswered?.(cancelled.id);
    // Requests whose ids are texts are ours: any process takes their answers.
    return !("method" in message) && typeof message.id === "number" && !this.isWaitingFor(message.id);
  }

  /** Whether to replay a message to a client that resumes the stream. */
  shouldReplay(message: JSONRPCMessage, stream: string): boolean {
    const id = "method" in message && "id" in message && typeof message.id === "string" ? message.id : undefined;
    return id === undefined || (this.onReplay?.(id, stream) ?? true);
  }
}

/** The SDK's high-level server on top of a `TaskServer`. It refuses registrations that the surface would hide. */
export class McpHost extends McpServer {
  readonly #surface: Pick<Surface, "tools" | "templates">;

  /** Makes both servers. The SDK takes no low-level server from outside, so its own is turned into one of ours. */
  constructor(info: Implementation, options: ServerOptions, surface: Pick<Surface, "tools" | "templates">) {
    super(info, options);
    this.#surface = surface;
    becomeOpen(this, TaskServer);
  }

  // These parameters are only passed on, so they are `never` here; users see the SDK's own signatures.
  override registerTool(name: string, config: never, call: never): RegisteredTool {
    if (this.#surface.tools.some((tool) => tool.name === name)) {
      throw new DefinitionError(
        `Cannot register ${name} twice: a tool of a job has this name. Give the plain tool, or the job, another one.`,
      );
    }
    return super.registerTool(name, config, call);
  }

  override registerResource(name: string, at: string, config: never, read: never): RegisteredResource;
  override registerResource(name: string, at: ResourceTemplate, config: never, read: never): RegisteredResourceTemplate;
  override registerResource(
    name: string,
    at: string | ResourceTemplate,
    config: never,
    read: never,
  ): RegisteredResource | RegisteredResourceTemplate {
    const uri = typeof at === "string" ? at : at.uriTemplate.toString();
    const prefix = this.#surface.templates.map(prefixOf).find((prefix) => uri.startsWith(prefix));
    if (prefix !== undefined) {
      throw new DefinitionError(
        `Cannot register ${uri}: the URIs of results of a job begin with ${prefix}. Give the plain resource another URI.`,
      );
    }
    // TypeScript picks an overload for one type at a time.
    return typeof at === "string"
      ? super.registerResource(name, at, config, read)
      : super.registerResource(name, at, config, read);
  }

  get taskServer(): TaskServer {
    if (this.server instanceof TaskServer) return this.server;
    throw new TypeError("McpHost has lost its TaskServer.");
  }
}

function hasStreams(transport: Transport): transport is StreamTransport {
  return "openStreamOf" in transport;
}
