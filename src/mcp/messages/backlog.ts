/**
 * What waits for a client to read it. Where much waits, of the progress of each call the newest alone does: who does not
 * read must not fill the memory of the server, and has no use for what is past.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** How much may wait before anything is left out: a client that reads is never as far behind. */
const MAX_WAITING = 64;

type Token = string | number;

/** Messages in the form that their wire has. */
export class Backlog<T> {
  #waiting: { readonly item: T; readonly progress?: Token }[] = [];
  #most = MAX_WAITING;

  /** Adds a message; `progress` is the token of one that tells progress. Gives the messages that are left out for it. */
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

  /** Takes the oldest message out. */
  shift(): T | undefined {
    return this.#waiting.shift()?.item;
  }
}

/** The token of a message that tells progress. */
export function progressTokenOf(message: JSONRPCMessage): Token | undefined {
  if (!("method" in message) || message.method !== "notifications/progress") return undefined;
  const token = message.params?.progressToken;
  return typeof token === "string" || typeof token === "number" ? token : undefined;
}
