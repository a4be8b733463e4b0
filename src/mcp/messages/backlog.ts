/**
 * The messages that wait for a client to read them. Once many wait, only the newest progress of each call is kept: a client
 * that does not read must not fill the server's memory, and has no use for older progress.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** How many messages may wait before any is dropped. A client that reads never falls so far behind. */
const MAX_WAITING = 64;

type Token = string | number;

/** Messages in the form that is written to the wire. */
export class Backlog<T> {
  #waiting: { readonly item: T; readonly progress?: Token }[] = [];
  #most = MAX_WAITING;

  /** Adds a message; `progress` is its progress token, if it has one. Returns the messages that are dropped for it. */
  push(item: T, progress?: Token): readonly T[] {
    this.#waiting.push({ item, progress });
    if (this.#waiting.length <= this.#most) return [];
    const newest = new Map(this.#waiting.map(({ progress }, index) => [progress, index]));
    const isPast = ({ progress }: { readonly progress?: Token }, index: number) =>
      progress !== undefined && newest.get(progress) !== index;
    const past = this.#waiting.filter(isPast);
    this.#waiting = this.#waiting.filter((one, index) => !isPast(one, index));
    this.#most = Math.max(MAX_WAITING, 2 * this.#waiting.length);
    return past.map(({ item }) => item);
  }

  /** Removes and returns the oldest message. */
  shift(): T | undefined {
    return this.#waiting.shift()?.item;
  }
}

/** The progress token of a progress notification. */
export function progressTokenOf(message: JSONRPCMessage): Token | undefined {
  if (!("method" in message) || message.method !== "notifications/progress") return undefined;
  const token = message.params?.progressToken;
  return typeof token === "string" || typeof token === "number" ? token : undefined;
}
