/**
 * Message streams in memory.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../backend.ts";

/** The most text that is kept, in UTF-16 units; the oldest goes first. */
const MAX_TEXT = 32 * 1024 * 1024;

interface StoredEvent extends StreamEvent {
  readonly stream: string;
  readonly expiresAt: number;
}

/** Keeps the messages of this process; nothing outlives it. */
export class MemoryStreams implements StreamStore {
  /** In the order in which they were appended. */
  readonly #events = new Set<StoredEvent>();
  #size = 0;

  append(stream: string, { id, text }: StreamEvent, ttl: number): Promise<void> {
    this.#events.add({ stream, id, text, expiresAt: Date.now() + ttl });
    this.#size += text.length;
    for (const oldest of this.#events) {
      if (this.#size <= MAX_TEXT && oldest.expiresAt > Date.now()) break;
      this.#delete(oldest);
    }
    return Promise.resolve();
  }

  readAfter(stream: string, id: string): Promise<readonly StreamEvent[]> {
    const events = this.#of(stream).filter((event) => event.id > id && event.expiresAt > Date.now());
    events.sort((a, b) => a.id < b.id ? -1 : 1);
    return Promise.resolve(events.map(({ id, text }) => ({ id, text })));
  }

  clear(stream: string): Promise<void> {
    for (const event of this.#of(stream)) this.#delete(event);
    return Promise.resolve();
  }

  #of(stream: string): StoredEvent[] {
    return [...this.#events].filter((event) => event.stream === stream);
  }

  #delete(event: StoredEvent): void {
    this.#events.delete(event);
    this.#size -= event.text.length;
  }
}
