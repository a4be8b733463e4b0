/**
 * Keeps what a session sends, so that a client whose stream broke gets the rest by `Last-Event-ID` (2025-11-25,
 * Transports, "Resumability and Redelivery").
 *
 * @module
 */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import type { StreamEvent, StreamStore } from "../../../backend.ts";
import { isTaskId, newTaskId } from "../../../ids.ts";
import { unheard } from "../../../log/log_error.ts";
import { remember } from "../../../recent.ts";
import type { RecentEvents } from "./recent.ts";

/** How long a message is kept, in ms. */
const EVENT_TTL_MS = 600_000;

/** A longer message is not kept: its result can be asked for again. In UTF-16 units of JSON. */
const MAX_EVENT_TEXT = 2 * 1024 * 1024;

/** An answer that comes sooner is kept in this process alone, in ms: to ask again costs no more than to resume. */
const QUICK_MS = 1_000;

/** Of how many streams the beginning is remembered. */
const REMEMBERED = 1_000;

/** While a busy stream is read, more may come: so often it is read on. */
const READ_ON = 10;

/** What stands between id and stream. That an answer is the last event is told by its id, which any process can read. */
const PART = ".";
const LAST = "!";

/** The messages of one session. Each is kept without waiting for it, since the client waits for the message. */
export class SessionEvents implements EventStore {
  readonly #streams: StreamStore;
  readonly #recent: RecentEvents;
  readonly #session: string;
  readonly #isWanted: (message: JSONRPCMessage, stream: string) => boolean;
  readonly #keeping = new Set<Promise<void>>();
  /** When the streams began whose answer is still to come, by their name. */
  readonly #begun = new Map<string, number>();
  #stored = 0;

  /** `isWanted` says whether a message is still to come to a client that resumes a stream. */
  constructor(
    streams: StreamStore,
    recent: RecentEvents,
    session: string,
    isWanted: (message: JSONRPCMessage, stream: string) => boolean = () => true,
  ) {
    this.#isWanted = isWanted;
    this.#streams = streams;
    this.#recent = recent;
    this.#session = session;
  }

  /** Keeps a message, and gives it its id. The empty message that begins a stream only needs the id. */
  storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const id = newTaskId();
    const eventId = eventIdOf(id, stream, message);
    if (!("jsonrpc" in message)) {
      this.#begin(stream);
      return Promise.resolve(eventId);
    }
    const text = JSON.stringify(message);
    if (text.length <= MAX_EVENT_TEXT) this.#keep(stream, { id, text }, this.#isQuick(stream, message));
    return Promise.resolve(eventId);
  }

  /** The stream that an event belongs to; `undefined` for what is no event id of ours. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(parseEventId(eventId)?.stream);
  }

  /** Sends what the stream holds behind the event, and all that comes while it does so. */
  async replayEventsAfter(
    lastEventId: string,
    { send }: { readonly send: (eventId: string, message: JSONRPCMessage) => Promise<void> },
  ): Promise<string> {
    const last = parseEventId(lastEventId);
    if (last === undefined) throw new TypeError("The event id is not one of ours.");
    const { stream } = last;
    let { id } = last;
    let before: number;
    let reads = 0;
    do {
      before = this.#stored;
      for (const event of await this.#read(stream, id)) {
        const message: JSONRPCMessage = JSON.parse(event.text);
        if (this.#isWanted(message, stream)) await send(eventIdOf(event.id, stream, message), message);
        id = event.id;
      }
    } while (this.#stored !== before && ++reads < READ_ON);
    return stream;
  }

  #begin(stream: string): void {
    // A cancelled request is never answered.
    remember(this.#begun, stream, Date.now(), REMEMBERED);
  }

  /** Whether a message is the answer that ends a stream which has just begun. */
  #isQuick(stream: string, message: JSONRPCMessage): boolean {
    if ("method" in message) return false;
    const begun = this.#begun.get(stream);
    this.#begun.delete(stream);
    return begun !== undefined && Date.now() - begun < QUICK_MS;
  }

  #keep(stream: string, event: StreamEvent, quick: boolean): void {
    this.#stored++;
    this.#recent.keep(this.#session, stream, event);
    if (quick) return;
    // Where it cannot be kept, the stream goes on all the same; it only cannot be resumed here.
    const keeping = this.#streams.append(this.#key(stream), event, EVENT_TTL_MS)
      .catch(unheard("keep a message of a session"))
      .finally(() => this.#keeping.delete(keeping));
    this.#keeping.add(keeping);
  }

  async #read(stream: string, id: string): Promise<readonly StreamEvent[]> {
    await Promise.all(this.#keeping);
    const kept = await this.#streams.readAfter(this.#key(stream), id);
    const recent = this.#recent.readAfter(this.#session, stream, id);
    const all = new Map([...kept, ...recent].map((event) => [event.id, event]));
    return [...all.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  #key(stream: string): string {
    return `${this.#session} ${stream}`;
  }
}

/** What an event id names. */
interface EventName {
  readonly id: string;
  /** The name of the stream that the event belongs to. */
  readonly stream: string;
  /** Whether the event is the answer that ends the stream: nothing comes behind it. */
  readonly last: boolean;
}

/** Reads an event id; `undefined` for what is none of ours. */
export function parseEventId(eventId: string): EventName | undefined {
  const [id, mark, stream] = [eventId.slice(0, 36), eventId[36], eventId.slice(37)];
  if (!isTaskId(id) || (mark !== PART && mark !== LAST) || !/^[\w-]{1,64}$/.test(stream)) return undefined;
  return { id, stream, last: mark === LAST };
}

function eventIdOf(id: string, stream: string, message: object): string {
  return `${id}${"result" in message || "error" in message ? LAST : PART}${stream}`;
}
