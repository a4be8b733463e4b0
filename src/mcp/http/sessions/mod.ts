/**
 * The sessions of revision 2025-11-25 over HTTP. A session belongs to its owner; to anybody else it does not exist. It
 * outlives its process: its first message is kept on the backend, and begins it anew in the process that is asked next.
 *
 * @module
 */
import type { AuthInfo, JSONRPCMessage } from "@modelcontextprotocol/server";
import type { AuditEvent } from "../../../tasks/audit.ts";
import type { StreamStore } from "../../../backend.ts";
import { Unavailable } from "../../../errors.ts";
import { isTaskId } from "../../../ids.ts";
import { sessionMark } from "../../../tasks/audit_source.ts";
import type { Peer } from "../../peer.ts";
import { SessionEvents } from "./events.ts";
import type { McpHost } from "../../host.ts";
import { type Kept, KeptSessions } from "./kept.ts";
import { newestProgress } from "../streams/newest_progress.ts";
import { OpenStreams } from "../streams/open_streams.ts";
import { RecentEvents } from "./recent.ts";
import { NoRoom, Places, type SessionLimits } from "./limits.ts";
import { SessionTransport } from "./transport.ts";
import { untilStalled } from "../streams/stalled.ts";

/** A session without an open stream is closed when it is not used for this long, in ms. */
const IDLE_MS = 3_600_000;

/** How often idle sessions are looked for, in ms. */
const SWEEP_MS = 60_000;

interface Session {
  readonly owner: string;
  readonly transport: SessionTransport;
  readonly host: McpHost;
  /** The answers that its client waits for. */
  readonly answering: OpenStreams;
  /** The streams on which its client hears what nobody asked for. */
  readonly listening: OpenStreams;
  readonly initialize: JSONRPCMessage | undefined;
  /** Whether a stream is open. */
  readonly isBusy: boolean;
  usedAt: number;
  keptAt: number;
}

/** What the audit log hears of sessions. */
export type SessionEvent = Pick<AuditEvent, "event" | "principal" | "session" | "reason">;

/** A request of a session. */
export interface Call {
  readonly request: Request;
  readonly message?: JSONRPCMessage;
  readonly authInfo?: AuthInfo;
}

/** The sessions of one endpoint. */
export class Sessions implements AsyncDisposable {
  readonly #bind: (peer: Peer) => McpHost;
  readonly #streams: StreamStore;
  readonly #kept: KeptSessions;
  readonly #recent: RecentEvents;
  readonly #answers: OpenStreams;
  readonly #places: Places;
  readonly #tell: (event: SessionEvent) => void;
  readonly #now: () => number;
  /** By id, the least used first. */
  readonly #sessions = new Map<string, Session>();
  readonly #restoring = new Map<string, Promise<Session | undefined>>();
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  /**
   * `bind` makes the server of one session; `answers` counts what they have still to answer; `tell` hears who begins and
   * deletes a session, and who is refused one.
   */
  constructor(
    bind: (peer: Peer) => McpHost,
    streams: StreamStore,
    answers: OpenStreams,
    tell: (event: SessionEvent) => void,
    limits: Partial<SessionLimits> = {},
    now: () => number = Date.now,
  ) {
    this.#bind = bind;
    this.#streams = streams;
    this.#kept = new KeptSessions(streams);
    this.#places = new Places(this.#sessions, limits);
    this.#recent = new RecentEvents(now);
    this.#answers = answers;
    this.#tell = tell;
    this.#now = now;
  }

  /** How many sessions are open. */
  get size(): number {
    return this.#sessions.size;
  }

  /** Answers a request that belongs to no session yet: one that begins it, or one that is refused. */
  begin(peer: Peer, call: Call): Promise<Response> {
    return this.#orRefuse(peer, call, async () => {
      const id = crypto.randomUUID();
      if (begins(call)) this.#reserve(id, peer);
      try {
        const session = await this.#open(id, peer, call.message);
        const response = await answer(session, call, this.#now);
        if (session.transport.sessionId === undefined) await session.host.close();
        else this.#tell({ event: "session_begun", principal: peer.owner, session: sessionMark(id) });
        return response;
      } finally {
        this.#places.release(id);
      }
    });
  }

  /** Answers a request of a session. */
  resume(id: string, peer: Peer, call: Call): Promise<Response> {
    return this.#orRefuse(peer, call, async () => {
      // One that is here is used at once, else it might have to make room meanwhile; but not before it has begun anew. One
      // of somebody else is looked for as any other that is not here: how long that takes must not tell that it is.
      const restored = await this.#restoring.get(restoringKey(id, peer));
      const here = this.#sessions.get(id);
      const session = restored ?? (here?.owner === peer.owner ? here : await this.#find(id, peer));
      if (session === undefined) {
        // 2025-11-25, Transports, "Session Management": 404 makes the client begin a new session.
        this.#tell({ event: "refused", principal: peer.owner, reason: "Session not found." });
        const error = { code: -32001, message: "Session not found: begin a new one. Your tasks are still there." };
        return Response.json({ jsonrpc: "2.0", id: null, error }, { status: 404 });
      }
      void this.#use(id, session);
      return await answer(session, call, this.#now);
    });
  }

  /** Closes every session and its streams; another process may go on with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#sweeper);
    await Promise.all([...this.#sessions.values()].map(({ host }) => host.close()));
    this.#sessions.clear();
  }

  /** Closes the sessions that nobody has used here for long. What is kept of one stays: it may be in use elsewhere. */
  async closeIdle(): Promise<void> {
    for (const [id, session] of this.#sessions) {
      if (session.usedAt + IDLE_MS > this.#now()) break;
      if (session.isBusy) continue;
      this.#sessions.delete(id);
      await session.host.close();
    }
  }

  async #orRefuse({ owner }: Peer, { message }: Call, answer: () => Promise<Response>): Promise<Response> {
    try {
      return await answer();
    } catch (error) {
      if (!(error instanceof NoRoom)) throw error;
      this.#tell({ event: "refused", principal: owner, reason: error.message });
      return error.answer(message);
    }
  }

  async #open(id: string, peer: Peer, initialize: JSONRPCMessage | undefined): Promise<Session> {
    // One that was still read from the store would outlive the endpoint.
    if (this.#ended) throw new Unavailable("Cannot begin a session: the server is shutting down. Try another one.");
    const host = this.#bind(peer);
    const transport = new SessionTransport({
      sessionIdGenerator: () => id,
      eventStore: new SessionEvents(
        this.#streams,
        this.#recent,
        id,
        (message, stream) => host.taskServer.shouldReplay(message, stream),
      ),
      // Before the client hears of it: its next request may go to another process.
      onsessioninitialized: () => this.#use(id, session),
      onsessionclosed: async () => {
        await this.#kept.forget(id);
        this.#tell({ event: "session_deleted", principal: peer.owner });
      },
    });
    const answering = new OpenStreams(this.#answers);
    const listening = new OpenStreams();
    const session: Session = {
      owner: peer.owner,
      transport,
      host,
      answering,
      listening,
      initialize,
      get isBusy() {
        return answering.size > 0 || listening.size > 0;
      },
      usedAt: 0,
      keptAt: 0,
    };
    await host.connect(transport);
    const { onclose } = transport;
    transport.onclose = () => {
      if (this.#sessions.get(id) === session) this.#sessions.delete(id);
      onclose?.();
    };
    return session;
  }

  async #find(id: string, peer: Peer): Promise<Session | undefined> {
    // What is no id of ours, a UUID, may be too long for the store.
    if (!isTaskId(id)) return undefined;
    const key = restoringKey(id, peer);
    const restoring = this.#restoring.get(key) ?? this.#restore(id, peer).finally(() => this.#restoring.delete(key));
    this.#restoring.set(key, restoring);
    return await restoring;
  }

  /** Begins a session of another process, or of an earlier one, anew: the client need not know. */
  async #restore(id: string, peer: Peer): Promise<Session | undefined> {
    const kept = await this.#kept.find(id);
    if (kept?.owner !== peer.owner) return undefined;
    this.#reserve(id, peer);
    try {
      return await this.#beginAnew(id, peer, kept);
    } finally {
      this.#places.release(id);
    }
  }

  async #beginAnew(id: string, peer: Peer, kept: Kept): Promise<Session> {
    const session = await this.#open(id, peer, kept.initialize);
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": id,
    };
    for (const message of [kept.initialize, INITIALIZED]) {
      const request = new Request("http://localhost/", { method: "POST", headers });
      const { body } = await session.transport.handleRequest(request, { parsedBody: message });
      // The client has had this answer before; it is read to its end, so that the server is ready then.
      await body?.pipeTo(new WritableStream());
    }
    return session;
  }

  /** Resolves once the session is kept, where that was due. */
  #use(id: string, session: Session): Promise<void> {
    session.usedAt = this.#now();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    this.#places.release(id);
    if (this.#sweeper === undefined) {
      this.#sweeper = setInterval(() => {
        this.#recent.dropOld();
        this.closeIdle().catch(() => {});
      }, SWEEP_MS);
      Deno.unrefTimer(this.#sweeper);
    }
    return this.#keep(id, session);
  }

  /** Keeps what it takes to begin the session anew, for as long as it may be idle and a half. */
  async #keep(id: string, session: Session): Promise<void> {
    const { owner, initialize, usedAt, keptAt } = session;
    if (initialize === undefined || usedAt - keptAt < IDLE_MS / 2) return;
    session.keptAt = usedAt;
    await this.#kept.keep(id, { owner, initialize }, 1.5 * IDLE_MS);
  }

  /** Who makes room may go on: what is kept of a session begins it anew. */
  #reserve(id: string, peer: Peer): void {
    this.#places.reserve(id, peer, (idle) => {
      const session = this.#sessions.get(idle);
      this.#sessions.delete(idle);
      session?.host.close().catch(() => {});
    });
  }
}

const INITIALIZED: JSONRPCMessage = { jsonrpc: "2.0", method: "notifications/initialized" };

function answer(
  { transport, answering, listening }: Session,
  { request, message, authInfo }: Call,
  now: () => number,
): Promise<Response> {
  const handle = () => transport.handleRequest(request, { parsedBody: message, authInfo });
  return request.method === "GET"
    ? listening.follow(async () => untilStalled(await handle(), now))
    : answering.follow(async () => newestProgress(await handle()));
}

/** Whether a request begins a session; the SDK refuses every other one that names none. */
function begins({ message }: Call): boolean {
  return message !== undefined && "method" in message && message.method === "initialize";
}

/** Who is beginning a session anew, and which. */
function restoringKey(id: string, { owner }: Peer): string {
  return `${id} ${owner}`;
}
