/**
 * One session of a process, and how it answers a request.
 *
 * @module
 */
import type { AuthInfo, JSONRPCMessage } from "@modelcontextprotocol/server";
import type { McpHost } from "../../host.ts";
import { newestProgress } from "../streams/newest_progress.ts";
import { OpenStreams } from "../streams/open_streams.ts";
import type { Recipient } from "./forwarding.ts";
import type { SessionTransport } from "./transport.ts";

export interface Call {
  readonly request: Request;
  readonly message?: JSONRPCMessage;
  readonly authInfo?: AuthInfo;
}

export class Session implements Recipient {
  /** The responses that its client waits for. */
  readonly #answering: OpenStreams;
  /** The standalone streams, on which its client receives what belongs to no request. */
  readonly #listening = new OpenStreams();
  usedAt = 0;
  storedAt = 0;

  /** `answers` counts the responses of all sessions that are still open. */
  constructor(
    readonly owner: string,
    readonly initialize: JSONRPCMessage | undefined,
    readonly transport: SessionTransport,
    readonly host: McpHost,
    answers: OpenStreams,
  ) {
    this.#answering = new OpenStreams(answers);
  }

  /** Whether its client has a stream open. */
  get isBusy(): boolean {
    return this.#answering.size > 0 || this.#listening.size > 0;
  }

  /** Answers a request. `now` is the time, in ms since the epoch. */
  answer({ request, message, authInfo }: Call, now: () => number): Promise<Response> {
    const listens = request.method === "GET";
    return (listens ? this.#listening : this.#answering).track(async (sent) => {
      const response = await this.transport.handleRequest(request, { parsedBody: message, authInfo });
      const ended = () => {
        sent();
        this.transport.responseEnded(request, message, now());
      };
      return newestProgress(response, ended, listens ? now : undefined);
    });
  }

  isFor(message: JSONRPCMessage): boolean {
    return !this.host.taskServer.isForOther(message);
  }

  receive(message: JSONRPCMessage): void {
    this.transport.receive(message);
  }
}
