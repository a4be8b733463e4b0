/**
 * What waits for a client to read it. Once much waits, only the newest progress of each call, or change of each task, is kept:
 * a client that does not read must not fill the server's memory, and has no use for older ones.
 *
 * @module
 */
import type { JSONRPCMessage } from "@modelcontextprotocol/server";

/** How many messages may wait before any is dropped. A client that reads never falls so far behind. */
const MAX_WAITING = 64;

type Token = string | number;

export class Backlog<T> {
  readonly #max: number;
  #waiting: { readonly item: T; readonly of?: Token }[] = [];
  #most: number;

  /** `max`: how many items may wait before any is dropped. */
  constructor(max: number = MAX_WAITING) {
    this.#max = this.#most = max;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Adds an item; `of`: a newer one of the same makes it needless. Returns the items that are dropped for it. */
  push(item: T, of?: Token): readonly T[] {
    this.#waiting.push({ item, of });
    if (this.#waiting.length <= this.#most) return [];
    const newest = new Map(this.#waiting.map(({ of }, index) => [of, index]));
    const isPast = ({ of }: { readonly of?: Token }, index: number) => of !== undefined && newest.get(of) !== index;
    const past = this.#waiting.filter(isPast);
    this.#waiting = this.#waiting.filter((one, index) => !isPast(one, index));
    this.#most = Math.max(this.#max, 2 * this.#waiting.length);
    return past.map(({ item }) => item);
  }

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
