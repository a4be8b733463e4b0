/**
 * How much one principal may use a server: the options, their defaults, and the arithmetic of rates.
 *
 * @module
 */
import { MAX_VALUE_BYTES } from "../json.ts";
import { numberFrom, type Rule } from "../options.ts";

/** How much one principal may use a server. `Infinity` removes a limit. */
export interface Limits {
  /** The most tasks that are not finished, across all server processes of the backend. Default: 1,000. */
  readonly openTasks?: number;
  /**
   * The most calls per minute that create a task, in each server process. Calls that are refused for their input count,
   * too. Default: 600.
   */
  readonly creationsPerMinute?: number;
  /**
   * The most reads per minute of a task, a result or a list, in each server process. Each 64 Ki characters of a result count as
   * one more read. Default: 12,000.
   */
  readonly readsPerMinute?: number;
  /**
   * The most HTTP requests per minute, of any kind, in each server process. Each 64 KiB of a body count as one more request, and
   * each of its fields and items as 100 bytes more. Without authentication, requests are counted per address. Default: 30,000.
   */
  readonly requestsPerMinute?: number;
  /**
   * The most HTTP sessions, which revision 2025-11-25 has, of an authenticated principal in each server process. A new one
   * replaces the least recently used, unless all have an open stream. Also the most open `subscriptions/listen` streams,
   * which revision 2026-07-28 has. Default: 1,000.
   */
  readonly sessions?: number;
  /** The longest time for which a client may ask to keep a result, in ms. Default: 604,800,000, 7 days. */
  readonly ttl?: number;
  /**
   * The largest input, in bytes of JSON. A larger one is refused before it is validated. Default: 16,777,216, which is also
   * the most that can be stored.
   */
  readonly inputBytes?: number;
}

const DEFAULTS: Required<Limits> = {
  openTasks: 1_000,
  creationsPerMinute: 600,
  readsPerMinute: 12_000,
  requestsPerMinute: 30_000,
  sessions: 1_000,
  ttl: 7 * 24 * 3_600_000,
  inputBytes: MAX_VALUE_BYTES,
};

export const LIMITS: { readonly [name: string]: Rule } = Object.fromEntries(
  Object.keys(DEFAULTS).map((name) => [name, numberFrom(1)]),
);

export function withDefaults(limits: Limits = {}): Required<Limits> {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...DEFAULTS, ...given };
}

const MINUTE_MS = 60_000;

/** Inactive owners are forgotten when there are this many, and then each time that the number has doubled. */
const MANY_OWNERS = 10_000;

interface Bucket {
  readonly left: number;
  /** At what time, in ms. */
  readonly at: number;
}

/** Token buckets, one for each owner: each holds the uses of one minute, and refills evenly within a minute. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #buckets = new Map<string, Bucket>();
  #forgetAt = MANY_OWNERS;

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Takes one use and returns 0; if none is left, returns in how many ms there will be one. `now` is in ms. */
  take(owner: string, now: number): number {
    if (this.#perMinute === Infinity) return 0;
    const left = this.#left(this.#buckets.get(owner), now);
    if (left < 1) {
      this.#buckets.set(owner, { left, at: now }); // The clock may have been set back: it refills from now on.
      return Math.ceil((1 - left) * MINUTE_MS / this.#perMinute);
    }
    this.charge(owner, 1, now);
    return 0;
  }

  /** Takes uses that have happened already. The balance may become negative, and must recover before the next use. */
  charge(owner: string, uses: number, now: number): void {
    if (this.#perMinute === Infinity || uses === 0) return;
    const left = this.#left(this.#buckets.get(owner), now);
    if (this.#buckets.size >= this.#forgetAt && !this.#buckets.has(owner)) this.#forgetFull(now);
    this.#buckets.set(owner, { left: left - uses, at: now });
  }

  /** How many owners are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  #left(bucket: Bucket | undefined, now: number): number {
    if (bucket === undefined) return this.#perMinute;
    const gained = Math.max(0, now - bucket.at) * this.#perMinute / MINUTE_MS;
    return Math.min(this.#perMinute, bucket.left + gained);
  }

  /** Forgets full buckets: a new one is full, too. */
  #forgetFull(now: number): void {
    for (const [owner, bucket] of this.#buckets) {
      if (this.#left(bucket, now) >= this.#perMinute) this.#buckets.delete(owner);
    }
    this.#forgetAt = Math.max(MANY_OWNERS, 2 * this.#buckets.size);
  }
}
