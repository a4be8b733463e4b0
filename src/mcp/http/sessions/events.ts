/**
 * Stores what a session sends, so that a client whose stream broke gets the rest with `Last-Event-ID` (2025-11-25,
 * Transports, "Resumability and Redelivery").
 *
 * @module
 */
import type { EventStore, JSONRPCMessage } from "@modelcontextprotocol/server";
import type { StreamEvent, StreamStore } from "../../../backend.ts";
import { newTaskId } from "../../../ids.ts";
import { type OnError, reporterOf } from "../../../log/on_error.ts";
import { remember } from "../../../recent.ts";
import { eventIdOf, parseEventId, type StreamRequest } from "./event_ids.ts";
import type { RecentEvents } from "./recent.ts";

/** How long a message is stored, in ms. */
const EVENT_TTL_MS = 600_000;

/** A longer message is not stored: its result can be requested again. In UTF-16 units of JSON. */
const MAX_EVENT_TEXT = 2 * 1024 * 1024;

/**
 * A response that takes less time, in ms, is kept in this process alone: repeating the request costs no more than resuming
 * it.
 */
const QUICK_MS = 1_000;

/** How many streams' start times are remembered. */
const REMEMBERED = 1_000;

/** How often a busy stream is read again for messages that were added during the read. */
const READ_ON = 10;

/** The messages of one session. Sending does not wait until a message is stored, since the client waits for it. */
export class SessionEvents implements EventStore {
  /** The request that a stream belongs to, as its event ids are to name it. */
  requestOf: (stream: string) => StreamRequest | undefined = () => undefined;
  readonly #streams: StreamStore;
  readonly #recent: RecentEvents;
  readonly #session: string;
  readonly #onError: OnError;
  readonly #shouldReplay: (message: JSONRPCMessage, stream: string) => boolean;
  readonly #storing = new Set<Promise<void>>();
  /** When each stream without a response began, by its name. */
  readonly #begun = new Map<string, number>();
  #stored = 0;

  /** `shouldReplay` says whether a client that resumes a stream still gets a message. */
  constructor(
    streams: StreamStore,
    recent: RecentEvents,
    session: string,
    onError?: OnError,
    shouldReplay: (message: JSONRPCMessage, stream: string) => boolean = () => true,
  ) {
    this.#onError = reporterOf(onError);
    this.#shouldReplay = shouldReplay;
    this.#streams = streams;
    this.#recent = recent;
    this.#session = session;
  }

  /** Stores a message, and gives it its id. An empty message, such as begins a stream, only needs the id. */
  storeEvent(stream: string, message: JSONRPCMessage): Promise<string> {
    const id = newTaskId();
    const eventId = eventIdOf(id, stream, message, this.requestOf(stream));
    if (!("jsonrpc" in message)) {
      this.#begin(stream);
      return Promise.resolve(eventId);
    }
    const text = JSON.stringify(message);
    if (text.length <= MAX_EVENT_TEXT) this.#keep(stream, { id, text }, this.#isQuick(stream, message));
    return Promise.resolve(eventId);
  }

  /** The stream that an event belongs to; `undefined` if the id is not one of ours. */
  getStreamIdForEventId(eventId: string): Promise<string | undefined> {
    return Promise.resolve(parseEventId(eventId)?.stream);
  }

  /** Sends what follows the event in its stream, and everything that is added meanwhile. */
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
        if (this.#shouldReplay(message, stream)) {
          await send(eventIdOf(event.id, stream, message, this.requestOf(stream)), message);
        }
        id = event.id;
      }
    } while (this.#stored !== before && ++reads < READ_ON);
    return stream;
  }

  /** Whether a response follows an event in its stream. */
  async isAnswered({ stream, id }: { readonly stream: string; readonly id: string }): Promise<boolean> {
    return (await this.#read(stream, id)).some(({ text }) => isResponse(JSON.parse(text)));
  }

  #begin(stream: string): void {
    if (this.#begun.has(stream)) return;
    // A cancelled request has no response, which would remove its entry.
    remember(this.#begun, stream, Date.now(), REMEMBERED);
  }

  /** Whether a message is the response that ends a stream which has only just begun. */
  #isQuick(stream: string, message: JSONRPCMessage): boolean {
    if (!isResponse(message)) return false;
    const begun = this.#begun.get(stream);
    this.#begun.delete(stream);
    return begun !== undefined && Date.now() - begun < QUICK_MS;
  }

  #keep(stream: string, event: StreamEvent, quick: boolean): void {
    this.#stored++;
    this.#recent.keep(this.#session, stream, event);
    if (quick) return;
    // If a message cannot be stored, the stream goes on; it only cannot be resumed from there.
    const storing = this.#streams.append(this.#key(stream), event, EVENT_TTL_MS)
      .catch((error) => this.#onError(error, { where: "store a message of a session" }))
      .finally(() => this.#storing.delete(storing));
    this.#storing.add(storing);
  }

  async #read(stream: string, id: string): Promise<readonly StreamEvent[]> {
    await Promise.all(this.#storing);
    const kept = await this.#streams.readAfter(this.#key(stream), id);
    const recent = this.#recent.readAfter(this.#session, stream, id);
    const all = new Map([...kept, ...recent].map((event) => [event.id, event]));
    return [...all.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  #key(stream: string): string {
    return `${this.#session} ${stream}`;
  }
}

function isResponse(message: object): boolean {
  return !("method" in message);
}
