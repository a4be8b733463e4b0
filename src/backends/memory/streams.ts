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
export function memoryStreams(): StreamStore {
  /** In the order in which they were appended. */
  const events = new Set<StoredEvent>();
  let size = 0;
  const eventsOf = (stream: string) => [...events].filter((event) => event.stream === stream);
  const remove = (event: StoredEvent) => {
    events.delete(event);
    size -= event.text.length;
  };
  return {
    append(stream, { id, text }, ttl) {
      events.add({ stream, id, text, expiresAt: Date.now() + ttl });
      size += text.length;
      for (const oldest of events) {
        if (size <= MAX_TEXT && oldest.expiresAt > Date.now()) break;
        remove(oldest);
      }
      return Promise.resolve();
    },
    readAfter(stream, id) {
      const found = eventsOf(stream).filter((event) => event.id > id && event.expiresAt > Date.now());
      found.sort((a, b) => a.id < b.id ? -1 : 1);
      return Promise.resolve(found.map(({ id, text }) => ({ id, text })));
    },
    clear(stream) {
      eventsOf(stream).forEach(remove);
      return Promise.resolve();
    },
  };
}
