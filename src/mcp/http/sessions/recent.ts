/**
 * The messages that sessions have just sent, kept in memory. There is one budget for all sessions, since clients may come
 * and go without ending theirs.
 *
 * @module
 */
import type { StreamEvent } from "../../../backend.ts";

/** How long a message is kept, in ms. */
const RECENT_TTL_MS = 60_000;

/** How much text is kept for all sessions, in UTF-16 units. The oldest message makes room. */
const MAX_TEXT = 16 * 1024 * 1024;

/** How many messages, and how much text, are kept for one session. Beyond that its own oldest message makes room. */
const SESSION_EVENTS = 64;
const SESSION_TEXT = 1024 * 1024;

interface Recent extends StreamEvent {
  readonly session: string;
  readonly stream: string;
  readonly at: number;
}

/** The recent messages of the sessions of one process. */
export class RecentEvents {
  readonly #now: () => number;
  /** The oldest first. */
  readonly #events = new Set<Recent>();
  readonly #ofSession = new Map<string, Recent[]>();
  #text = 0;

  /** `now` tells the time, in ms. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
  }

  get size(): number {
    return this.#events.size;
  }

  /** Keeps a message, and drops those that are too old or too many. */
  keep(session: string, stream: string, event: StreamEvent): void {
    const recent: Recent = { ...event, session, stream, at: this.#now() };
    const own = this.#ofSession.get(session) ?? [];
    this.#ofSession.set(session, own);
    own.push(recent);
    this.#events.add(recent);
    this.#text += event.text.length;
    let text = own.reduce((sum, { text }) => sum + text.length, 0);
    for (const oldest of [...own]) {
      if (own.length <= SESSION_EVENTS && text <= SESSION_TEXT) break;
      text -= oldest.text.length;
      this.#drop(oldest);
    }
    this.dropOld();
  }

  /** The messages of a stream that follow an id, in order. */
  readAfter(session: string, stream: string, id: string): readonly StreamEvent[] {
    return (this.#ofSession.get(session) ?? []).filter((event) => event.stream === stream && event.id > id);
  }

  /** Drops messages that are too old or over the budget. `keep` calls it; while no messages come, the caller has to. */
  dropOld(): void {
    const old = this.#now() - RECENT_TTL_MS;
    for (const event of this.#events) {
      if (this.#text <= MAX_TEXT && event.at > old) break;
      this.#drop(event);
    }
  }

  /** The oldest of all is also the oldest of its session. */
  #drop(event: Recent): void {
    this.#events.delete(event);
    this.#text -= event.text.length;
    const own = this.#ofSession.get(event.session);
    own?.shift();
    if (own?.length === 0) this.#ofSession.delete(event.session);
  }
}
