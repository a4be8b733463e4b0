/**
 * The sessions of revision 2025-11-25 over HTTP. A session belongs to its owner; to anybody else it does not exist. It
 * outlives its process: its first message is stored on the backend, and restores it in whichever process is asked next.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";
import type { AuditEvent } from "../../../tasks/audit.ts";
import type { DocumentStore, StreamStore } from "../../../backend.ts";
import { Unavailable } from "../../../errors.ts";
import { isTaskId } from "../../../ids.ts";
import { type OnError, reporterOf } from "../../../log/on_error.ts";
import { sessionMark } from "../../../tasks/audit_source.ts";
import type { Peer } from "../../peer.ts";
import { SessionEvents } from "./events.ts";
import { Forwarding } from "./forwarding.ts";
import type { McpHost } from "../../host.ts";
import { refuseLarge, SessionStore, type StoredSession } from "./store.ts";
import type { OpenStreams } from "../streams/open_streams.ts";
import { RecentEvents } from "./recent.ts";
import { SessionLimitReached, type SessionLimits, SessionSlots } from "./limits.ts";
import { type Call, Session } from "./session.ts";
import { SessionTransport } from "./transport.ts";

/** A session without an open stream is closed after this time without use, in ms. */
const IDLE_MS = 3_600_000;

/** The requests of a server to its client begin with a number below this one. */
const MAX_FIRST_NUMBER = 2 ** 30;

/** How often idle sessions are closed, in ms. */
const SWEEP_MS = 60_000;

/** What the audit log records of sessions. */
export type SessionEvent = Pick<AuditEvent, "event" | "principal" | "session" | "reason">;

/** What the sessions of an endpoint work with. */
export interface SessionsOptions {
  /** Makes the server of one session. */
  readonly bind: (peer: Peer) => McpHost;
  readonly streams: StreamStore;
  /** Carry messages of sessions between processes. */
  readonly documents: DocumentStore;
  /** Counts the responses that are still open. */
  readonly answers: OpenStreams;
  /** Receives sessions that begin or are deleted, and callers that are refused one. */
  readonly record: (event: SessionEvent) => void;
  /** Default: 10,000 in this process. */
  readonly limits?: Partial<SessionLimits>;
  /** The time, in ms since the epoch. */
  readonly now?: () => number;
  /** Receives errors that no caller receives. Default: a line of JSON on stderr. */
  readonly onError?: OnError;
}

export class Sessions implements AsyncDisposable {
  readonly #options: SessionsOptions;
  readonly #store: SessionStore;
  readonly #recent: RecentEvents;
  readonly #slots: SessionSlots;
  readonly #forwarding: Forwarding;
  readonly #now: () => number;
  readonly #onError: OnError;
  /** By id, the least recently used first. */
  readonly #sessions = new Map<string, Session>();
  readonly #restoring = new Map<string, Promise<Session | undefined>>();
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  constructor(options: SessionsOptions) {
    const { streams, documents, limits = {}, now = Date.now, onError } = options;
    this.#options = options;
    this.#onError = reporterOf(onError);
    this.#store = new SessionStore(streams, this.#onError);
    this.#slots = new SessionSlots(this.#sessions, limits);
    this.#recent = new RecentEvents(now);
    this.#forwarding = new Forwarding(documents, (id) => this.#sessions.get(id), this.#onError);
    this.#now = now;
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** Answers a request without a session: it begins one, or is refused. */
  begin(peer: Peer, call: Call): Promise<Response> {
    return this.#withinLimits(peer, call, async () => {
      const id = crypto.randomUUID();
      const tooLarge = begins(call) && refuseLarge(call.message);
      if (tooLarge) return tooLarge;
      if (begins(call)) this.#reserve(id, peer);
      try {
        const session = await this.#open(id, peer, call.message);
        const response = await session.answer(call, this.#now);
        if (session.transport.sessionId === undefined) await session.host.close();
        else this.#options.record({ event: "session_begun", principal: peer.owner, session: sessionMark(id) });
        return response;
      } finally {
        this.#slots.release(id);
      }
    });
  }

  /** Answers a request of a session. */
  resume(id: string, peer: Peer, call: Call): Promise<Response> {
    return this.#withinLimits(peer, call, async () => {
      // A session of this process is used at once, unless it is still being restored: otherwise it might be closed meanwhile
      // to make room. Somebody else's session is looked up in the store, like one that does not exist: the time that this
      // takes must not reveal it. What waits until a session is restored goes on in the order in which it came.
      const here = this.#restoring.has(restoringKey(id, peer)) ? undefined : this.#sessions.get(id);
      const session = here?.owner === peer.owner ? here : await this.#find(id, peer);
      if (session === undefined) {
        // 2025-11-25, Transports, "Session Management": 404 makes the client begin a new session.
        this.#options.record({ event: "refused", principal: peer.owner, reason: "Session not found." });
        const error = { code: -32001, message: "Session not found: begin a new one. Your tasks are still there." };
        return Response.json({ jsonrpc: "2.0", id: null, error }, { status: 404 });
      }
      void this.#use(id, session);
      const { message } = call;
      if (message && session.host.taskServer.isForOther(message)) await this.#forwarding.send(peer.owner, id, message);
      const response = await session.answer(call, this.#now);
      if (message && "method" in message && "id" in message) this.#forwarding.begun(id, message.id);
      return response;
    });
  }

  /** Closes every session and its streams. Another process may go on with them. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    clearInterval(this.#sweeper);
    this.#forwarding[Symbol.dispose]();
    await Promise.all([...this.#sessions.values()].map(({ host }) => host.close()));
    this.#sessions.clear();
  }

  /** Closes the sessions that were not used here for a long time. They stay in the store: they may be in use elsewhere. */
  async closeIdle(): Promise<void> {
    for (const [id, session] of this.#sessions) {
      if (session.usedAt + IDLE_MS > this.#now()) break;
      if (session.isBusy) continue;
      this.#sessions.delete(id);
      await session.host.close();
    }
  }

  async #withinLimits({ owner }: Peer, { message }: Call, answer: () => Promise<Response>): Promise<Response> {
    try {
      const response = await answer();
      // The SDK says so of a session that was closed meanwhile, which goes on in another process.
      if (response.status === 404 && this.#ended) throw ending();
      return response;
    } catch (error) {
      if (!(error instanceof SessionLimitReached)) throw error;
      this.#options.record({ event: "refused", principal: owner, reason: error.message });
      return error.response(message);
    }
  }

  async #open(id: string, peer: Peer, initialize: JSONRPCMessage | undefined): Promise<Session> {
    // A session that is still being read from the store would outlive the endpoint.
    if (this.#ended) throw ending();
    const host = this.#options.bind(peer);
    const shouldReplay = (message: JSONRPCMessage, stream: string) => host.taskServer.shouldReplay(message, stream);
    const transport = new SessionTransport({
      sessionIdGenerator: () => id,
      eventStore: new SessionEvents(this.#options.streams, this.#recent, id, this.#onError, shouldReplay),
      // Before the client knows the session: its next request may go to another process.
      onsessioninitialized: () => this.#use(id, session),
      onsessionclosed: async () => {
        await this.#store.delete(id);
        this.#options.record({ event: "session_deleted", principal: peer.owner });
      },
      onrequestresumed: (requestId) => this.#forwarding.resumed(peer.owner, id, requestId),
    });
    const session: Session = new Session(peer.owner, initialize, transport, host, this.#options.answers);
    // Any process may receive the answers, so each has numbers of its own.
    host.taskServer.numberRequestsFrom(Math.floor(Math.random() * MAX_FIRST_NUMBER));
    await host.connect(transport);
    const { onclose } = transport;
    transport.onclose = () => {
      if (this.#sessions.get(id) === session) this.#sessions.delete(id);
      onclose?.();
    };
    return session;
  }

  async #find(id: string, peer: Peer): Promise<Session | undefined> {
    // An id that is not ours, a UUID, may be too long for the store.
    if (!isTaskId(id)) return undefined;
    const key = restoringKey(id, peer);
    const restoring = this.#restoring.get(key) ?? this.#restore(id, peer).finally(() => this.#restoring.delete(key));
    this.#restoring.set(key, restoring);
    return await restoring;
  }

  /** Restores a session of another process, or of an earlier one. The client need not know. */
  async #restore(id: string, peer: Peer): Promise<Session | undefined> {
    const stored = await this.#store.find(id);
    if (stored?.owner !== peer.owner) return undefined;
    this.#reserve(id, peer);
    try {
      return await this.#replayStart(id, peer, stored);
    } finally {
      this.#slots.release(id);
    }
  }

  async #replayStart(id: string, peer: Peer, stored: StoredSession): Promise<Session> {
    const session = await this.#open(id, peer, stored.initialize);
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-session-id": id,
    };
    for (const message of [stored.initialize, INITIALIZED]) {
      const request = new Request("http://localhost/", { method: "POST", headers });
      const { body } = await session.transport.handleRequest(request, { parsedBody: message });
      // The client has had this response before. At its end, the server is ready.
      await body?.pipeTo(new WritableStream());
    }
    return session;
  }

  /** Marks a session as used. Resolves once it is stored, if that was due. */
  #use(id: string, session: Session): Promise<void> {
    session.usedAt = this.#now();
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    this.#slots.release(id);
    if (this.#sweeper === undefined) {
      this.#sweeper = setInterval(() => {
        this.#recent.dropOld();
        this.closeIdle().catch((error) => this.#onError(error, { where: "close idle sessions" }));
      }, SWEEP_MS);
      Deno.unrefTimer(this.#sweeper);
    }
    return this.#save(id, session);
  }

  /** Stores what the session can be restored from, for one and a half times as long as it may be idle. */
  async #save(id: string, session: Session): Promise<void> {
    const { owner, initialize, usedAt, storedAt } = session;
    if (initialize === undefined || usedAt - storedAt < IDLE_MS / 2) return;
    session.storedAt = usedAt;
    await this.#store.save(id, { owner, initialize }, 1.5 * IDLE_MS);
  }

  /** Reserves a slot. The session that is closed for it can go on: it is restored from the store when it is used again. */
  #reserve(id: string, peer: Peer): void {
    this.#slots.reserve(id, peer, (idle) => {
      const session = this.#sessions.get(idle);
      this.#sessions.delete(idle);
      session?.host.close().catch((error) => this.#onError(error, { where: "close idle sessions" }));
    });
  }
}

const INITIALIZED: JSONRPCMessage = { jsonrpc: "2.0", method: "notifications/initialized" };

function ending(): Unavailable {
  return new Unavailable("Cannot use a session: the server is shutting down. Try another server.");
}

/** Whether a request begins a session. The SDK refuses any other that names no session. */
function begins({ message }: Call): boolean {
  return message !== undefined && "method" in message && message.method === "initialize";
}

/** The key of a session that is being restored for an owner. */
function restoringKey(id: string, { owner }: Peer): string {
  return `${id} ${owner}`;
}
