/**
 * The official SDK's server with room for ours: what a user registers through the SDK's own API stays reachable behind
 * our handlers, and our results reach the wire as they are.
 *
 * @module
 */
import {
  type Implementation,
  type JSONRPCMessage,
  type JSONRPCRequest,
  McpServer,
  type RegisteredResource,
  type RegisteredResourceTemplate,
  type RegisteredTool,
  type ResourceTemplate,
  type ServerContext,
  type ServerOptions,
  type Transport,
} from "@modelcontextprotocol/server";
import { DefinitionError } from "../errors.ts";
import { prefixOf } from "../exposure/answers/call_result.ts";
import type { Surface } from "../exposure/surface.ts";
import { sendable } from "./messages/sendable.ts";
import { becomeOpen, OpenServer } from "./sdk_internals.ts";

/** What the SDK knows of a request. */
export type RequestContext = ServerContext;

/** A transport with several streams, which knows on which of them the client listens. */
export interface StreamTransport extends Transport {
  /** The name of the stream on which the client now receives what belongs to a request; `undefined` while it is broken. */
  heardOn(requestId: string | number): string | undefined;
}

/** The SDK's low-level server, with elicitations whose answers any process may take. */
export class TaskServer extends OpenServer {
  /** Takes the answer to a request of `ask`, `undefined` for an error; says whether it was one. */
  onAnswer?: (id: string, result: unknown) => boolean;

  /** Hears of a request of the client for whose method there is no handler. */
  onUnknownMethod?: (method: string) => void;

  /** Hears that a request of `ask` is about to come to a client that resumes a stream; says whether it still should. */
  onReplay?: (id: string, stream: string) => boolean;

  /** Connects, and sees to it that answers to our own requests are ours, and that clients can read what is sent. */
  override async connect(transport: Transport): Promise<void> {
    await super.connect(transport);
    const { onmessage } = transport;
    const send = transport.send.bind(transport);
    transport.send = (message, options) => send(sendable(message), options);
    transport.onmessage = (message, extra) => {
      if ("method" in message && "id" in message && this.handlerOf(message.method) === undefined) {
        this.onUnknownMethod?.(message.method);
      }
      const ours = !("method" in message) && typeof message.id === "string" &&
        this.onAnswer?.(message.id, "result" in message ? message.result : undefined);
      if (!ours) onmessage?.(message, extra);
    };
  }

  /**
   * Sends `elicitation/create` under an id of ours, on the stream of an open request. The SDK numbers its requests, and
   * waits for their answers in this process; the answer to this one goes to `onAnswer`, of whatever process.
   */
  async ask(id: string, params: Record<string, unknown>, relatedRequestId: string | number): Promise<void> {
    if (this.transport === undefined) throw new Error("Cannot ask: the client is gone.");
    await this.transport.send({ jsonrpc: "2.0", id, method: "elicitation/create", params }, { relatedRequestId });
  }

  /**
   * Takes a request of `ask` back: on the stream on which it was sent or, where that is not heard any more, on the one of
   * what nobody asked for.
   */
  async takeBack(id: string, relatedRequestId: string | number): Promise<void> {
    const params = { requestId: id, reason: "The question needs no answer any more." };
    const heard = this.heardOn(relatedRequestId) !== undefined;
    await this.transport?.send(
      { jsonrpc: "2.0", method: "notifications/cancelled", params },
      heard ? { relatedRequestId } : {},
    );
  }

  /**
   * The name of the stream on which the client hears now what belongs to a request; `undefined` while it is broken. Where
   * all goes one way, as on stdio, that is heard as long as there is a connection.
   */
  heardOn(requestId: string | number): string | undefined {
    return this.transport && hasStreams(this.transport) ? this.transport.heardOn(requestId) : "all";
  }

  /** Whether a message is still to come to a client that resumes the stream. */
  isWanted(message: JSONRPCMessage, stream: string): boolean {
    const asked = "method" in message && "id" in message && typeof message.id === "string" ? message.id : undefined;
    return asked === undefined || (this.onReplay?.(asked, stream) ?? true);
  }
}

/** The SDK's high-level server on top of a `TaskServer`. What would hide behind the surface cannot be registered. */
export class McpHost extends McpServer {
  readonly #surface: Pick<Surface, "tools" | "templates">;

  /** Makes both. The SDK offers no way to bring one's own low-level server, so its own becomes one of ours. */
  constructor(info: Implementation, options: ServerOptions, surface: Pick<Surface, "tools" | "templates">) {
    super(info, options);
    this.#surface = surface;
    becomeOpen(this, TaskServer);
  }

  // What is only passed on is `never` here: users see the SDK's own signatures.
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
        `Cannot register ${uri}: the results of a job stand under ${prefix}. Give the plain resource another URI.`,
      );
    }
    // An overload is chosen by one type at a time.
    return typeof at === "string"
      ? super.registerResource(name, at, config, read)
      : super.registerResource(name, at, config, read);
  }

  /** The low-level server, as what it is. */
  get taskServer(): TaskServer {
    if (this.server instanceof TaskServer) return this.server;
    throw new TypeError("McpHost has lost its TaskServer.");
  }
}

function hasStreams(transport: Transport): transport is StreamTransport {
  return "heardOn" in transport;
}

/** A request as the SDK's own handlers take it. */
export function asRequest(method: string, params: Record<string, unknown>, ctx: RequestContext): JSONRPCRequest {
  return { jsonrpc: "2.0", id: ctx.mcpReq.id, method, params };
}
