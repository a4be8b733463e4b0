/**
 * How often one caller may send requests over HTTP. Every request counts, also one that reaches no task: a list, one that
 * is malformed, or one of a session that does not exist.
 *
 * @module
 */
import { LimitExceeded } from "../../errors.ts";
import { RateLimit } from "../../tasks/limits.ts";

/** A body counts as one more request for each of so many bytes. */
const BYTES_OF_ONE = 64 * 1024;

/** The requests of each caller. */
export class RequestRate {
  readonly #perMinute: number;
  readonly #now: () => number;
  readonly #rate: RateLimit;

  constructor(perMinute: number, now: () => number = Date.now) {
    this.#perMinute = perMinute;
    this.#now = now;
    this.#rate = new RateLimit(perMinute);
  }

  /** Counts a request before its body is read, or refuses it. */
  admit(caller: string): LimitExceeded | undefined {
    const wait = this.#rate.take(caller, this.#now());
    if (wait === 0) return undefined;
    const most = `${this.#perMinute} requests a minute, of 64 KiB each, are the most`;
    return new LimitExceeded("requestsPerMinute", `Cannot take the request: ${most}. Try again later.`, wait);
  }

  /** Counts what a body had beyond its share, which the next request may have to wait for. */
  charge(caller: string, bytes: number): void {
    this.#rate.charge(caller, Math.floor(bytes / BYTES_OF_ONE), this.#now());
  }
}
