/**
 * What one principal may use of a server: the options, their defaults, and the arithmetic of rates.
 *
 * @module
 */
import { MAX_VALUE_BYTES } from "../json.ts";
import { numberFrom, type Rule } from "../options.ts";

/** What one principal may use. `Infinity` takes a limit away. */
export interface Limits {
  /** The most tasks that are not finished, over all server processes of the backend; default 1,000. */
  readonly openTasks?: number;
  /**
   * The most calls that create a task in a minute, for each server process; default 600. One that is refused for its
   * input counts, too.
   */
  readonly creationsPerMinute?: number;
  /** The most readings of a task, a result or a list in a minute, for each server process; default 12,000. */
  readonly readsPerMinute?: number;
  /**
   * The most requests over HTTP in a minute, whatever they ask for, for each server process; default 30,000. One whose
   * body is large counts once more for each 64 KiB. Where nobody knows who calls they are counted for each address.
   */
  readonly requestsPerMinute?: number;
  /**
   * The most 2025-11-25 sessions over HTTP of a principal that `authenticate` has named, in each server process; default
   * 1,000. The least used one makes room for a new one, unless all have a stream open.
   */
  readonly sessions?: number;
  /** The longest time that a client may ask to keep a result, in ms; default 604,800,000, 7 days. */
  readonly ttl?: number;
  /**
   * The largest input, as bytes of JSON; default 16,777,216, which is also the most that can be stored. A larger one is
   * refused before anybody looks whether it fits the job.
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

/** What the limits may be. */
export const LIMITS: { readonly [name: string]: Rule } = Object.fromEntries(
  Object.keys(DEFAULTS).map((name) => [name, numberFrom(1)]),
);

/** Fills in the defaults. */
export function withDefaults(limits: Limits = {}): Required<Limits> {
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  return { ...DEFAULTS, ...given };
}

const MINUTE_MS = 60_000;

/** From how many owners on those are forgotten who have used nothing lately. */
const MANY_OWNERS = 10_000;

interface Bucket {
  /** How many uses are left. */
  readonly left: number;
  /** When that was so. */
  readonly at: number;
}

/** Token buckets, one for each owner: each holds a minute's uses, and fills up evenly within a minute. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** Takes one use and returns 0; if none is left, returns in how many ms there will be one. */
  take(owner: string, now: number): number {
    if (this.#perMinute === Infinity) return 0;
    const left = this.#left(this.#buckets.get(owner), now);
    if (left < 1) {
      this.#buckets.set(owner, { left, at: now }); // The clock may have been set back: it fills up from now on.
      return Math.ceil((1 - left) * MINUTE_MS / this.#perMinute);
    }
    this.charge(owner, 1, now);
    return 0;
  }

  /** Takes what was used already. More than is left has to be made up for before the next use. */
  charge(owner: string, uses: number, now: number): void {
    if (this.#perMinute === Infinity || uses === 0) return;
    const left = this.#left(this.#buckets.get(owner), now);
    if (this.#buckets.size >= MANY_OWNERS && !this.#buckets.has(owner)) this.#forgetFull(now);
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

  /** A full bucket is as good as none. */
  #forgetFull(now: number): void {
    for (const [owner, bucket] of this.#buckets) {
      if (this.#left(bucket, now) >= this.#perMinute) this.#buckets.delete(owner);
    }
  }
}
