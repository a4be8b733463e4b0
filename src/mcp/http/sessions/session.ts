/**
 * One session of a process, and how it answers a request.
 *
 * @module
 */
import type { AuthInfo, JSONRPCMessage } from "@modelcontextprotocol/server";
import type { McpHost } from "../../host.ts";
import { newestProgress } from "../streams/newest_progress.ts";
import type { OpenStreams } from "../streams/open_streams.ts";
import type { Recipient } from "./forwarding.ts";
import type { SessionTransport } from "./transport.ts";

export interface Session {
  readonly owner: string;
  readonly transport: SessionTransport;
  readonly host: McpHost;
  /** The responses that its client waits for. */
  readonly answering: OpenStreams;
  /** The standalone streams, on which its client receives what belongs to no request. */
  readonly listening: OpenStreams;
  readonly initialize: JSONRPCMessage | undefined;
  readonly isBusy: boolean;
  usedAt: number;
  storedAt: number;
}

export interface Call {
  readonly request: Request;
  readonly message?: JSONRPCMessage;
  readonly authInfo?: AuthInfo;
}

/** Answers a request of a session. `now` is the time, in ms since the epoch. */
export function answer(
  { transport, answering, listening }: Session,
  { request, message, authInfo }: Call,
  now: () => number,
): Promise<Response> {
  const listens = request.method === "GET";
  return (listens ? listening : answering).track(async (sent) => {
    const response = await transport.handleRequest(request, { parsedBody: message, authInfo });
    return newestProgress(response, sent, listens ? now : undefined);
  });
}

/** How a session receives what other processes forward; `undefined` if it is not here. */
export function recipientOf(session: Session | undefined): Recipient | undefined {
  return session && {
    isFor: (message) => !session.host.taskServer.isForOther(message),
    receive: (message) => session.transport.receive(message),
  };
}
