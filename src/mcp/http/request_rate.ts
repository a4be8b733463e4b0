/**
 * How often one sender may send requests over HTTP. Every request counts, even one that reaches no task: a list, a malformed
 * request, or one for a session that does not exist.
 *
 * @module
 */
import { LimitExceeded } from "../../errors.ts";
import { RateLimit } from "../../tasks/limits.ts";

/** A body counts as one more request for each of these many bytes of memory. To parse and check it takes time in proportion. */
const BYTES_OF_ONE = 64 * 1024;

export class RequestRate {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #rate: RateLimit;

  constructor(perMinute: number, now: () => number = Date.now) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#rate = new RateLimit(perMinute);
  }

  /** Counts a request before its body is read. Returns the error if there are too many. */
  admit(sender: string): LimitExceeded | undefined {
    const wait = this.#rate.take(sender, this.#now());
    if (wait === 0) return undefined;
    const limit = `the limit is ${this.#perMinute} requests a minute, of 64 KiB each`;
    return new LimitExceeded("requestsPerMinute", `Cannot accept the request: ${limit}. Try again later.`, wait);
  }

  /** Counts what a body takes in memory beyond the first 64 KiB. The next request may have to wait for it. */
  charge(sender: string, bytes: number): void {
    this.#rate.charge(sender, Math.floor(bytes / BYTES_OF_ONE), this.#now());
  }
}
