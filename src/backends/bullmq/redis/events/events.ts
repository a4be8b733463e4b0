/**
 * The events of one queue, from the stream that BullMQ writes them to.
 *
 * BullMQ's own QueueEvents parses what workers put into events, and stops for good at a text that is no JSON. It also
 * does not notice when the stream has dropped events that it has not read yet. Here only names and ids are read.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { pause } from "../../../../waiting.ts";
import type { OnError } from "../../../../log/on_error.ts";
import { closeForGood } from "../../internals.ts";
import { openWaiting } from "../connection.ts";
import { LONGEST_BLOCK_MS } from "../heartbeat.ts";
import { change, countJobs, isBefore, type QueueEvent } from "./tally.ts";

/** The events after which a task may have changed. The last is ours. */
const CHANGES: ReadonlySet<string | undefined> = new Set([
  "waiting",
  "delayed",
  "active",
  "progress",
  "stalled",
  "waiting-children",
  "completed",
  "failed",
  "removed",
  "mcp-jobs",
]);

/** If one read returns this many events, it is checked whether older ones were dropped unread. */
const MANY = 50;

/** The pause after Redis has refused to read, in ms. */
const RETRY_MS = 500;

/** How often the jobs are counted, in ms. */
const COUNT_MS = LONGEST_BLOCK_MS / 2;

/** What has become of a job: it was only just added to its queue, a worker has taken it, or it has changed in another way. */
export type JobEvent = "stored" | "started" | "changed";

/** Called with a job that may have changed. `change`: the number of an answer. */
export type JobListener = (id: string, event: JobEvent, change?: number) => void;

/** A subscription to the events of one queue. */
export interface Subscription {
  close(): Promise<void>;
}

/** What to read, and whom to call. */
export interface EventOptions {
  /** The key of the queue's events. */
  readonly stream: string;
  /** The id of the event to read after. */
  readonly from: string;
  /** How many jobs were unfinished at that event, if known. */
  readonly unfinished?: number;
  readonly changed: JobListener;
  /** Called after a reconnect, when events were dropped unread, and when jobs left the queue without an event. */
  readonly missed: () => void;
  readonly onError: OnError;
}

/** Reads the events of one queue, on a connection of its own. */
export class RedisEvents implements Subscription {
  readonly #connection: Redis;
  readonly #options: EventOptions;
  readonly #closed = new AbortController();
  readonly #reading: Promise<void>;
  /** The last event that was read. */
  #last: string;
  /** How many jobs are unfinished, as the events add up; `undefined`: the next count tells. */
  #unfinished: number | undefined;
  /** The newest event that the stream is known to have had. */
  #newest = "0-0";
  #countAt = 0;

  /** The events on the Redis of `client`. */
  constructor(client: Redis, options: EventOptions) {
    this.#connection = openWaiting(client);
    this.#options = options;
    this.#last = options.from;
    this.#unfinished = options.unfinished;
    let connected = false;
    this.#connection.on("ready", () => {
      if (connected) options.missed();
      connected = true;
    });
    this.#reading = this.#read();
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await closeForGood(this.#connection);
    await this.#reading;
  }

  get #isOpen(): boolean {
    return !this.#closed.signal.aborted;
  }

  async #read(): Promise<void> {
    const { stream, missed } = this.#options;
    while (this.#isOpen) {
      try {
        if (this.#countAt <= performance.now()) await this.#count().catch((error) => this.#countFailed(error));
        const before = this.#last;
        const block = Math.ceil(Math.max(1, this.#countAt - performance.now()));
        const found = await this.#connection.xread("BLOCK", block, "STREAMS", stream, before);
        const events = found?.[0]?.[1] ?? [];
        // If nothing is left of what was read before, events in between may be gone, too.
        const dropped = events.length >= MANY &&
          (await this.#connection.xrange(stream, "-", before, "COUNT", 1)).length === 0;
        this.#handleAll(events);
        if (!dropped) continue;
        this.#unfinished = undefined;
        missed();
      } catch (error) {
        if (this.#isOpen) this.#options.onError(error, { where: "read the events of a queue" });
        await pause(RETRY_MS, this.#closed.signal);
      }
    }
  }

  /** Checks whether jobs have left the queue without an event. */
  async #count(): Promise<void> {
    const { stream, missed } = this.#options;
    const { unfinished, newest, events, whole } = await countJobs(this.#connection, stream, this.#last);
    this.#countAt = performance.now() + COUNT_MS;
    this.#handleAll(events);
    const left = whole && this.#unfinished !== undefined && unfinished < this.#unfinished;
    // If the newest event is older than one seen before, the stream is a new one, whose first events may be unread.
    const restarted = isBefore(newest, this.#newest);
    if (restarted) this.#last = "0-0";
    this.#newest = newest;
    if (whole) this.#unfinished = unfinished; // Else the sum goes on to the next count.
    if (left || restarted) missed();
  }

  /** Reading goes on all the same. */
  #countFailed(error: unknown): void {
    this.#countAt = performance.now() + COUNT_MS;
    this.#unfinished = undefined;
    if (this.#isOpen) this.#options.onError(error, { where: "count the jobs of a queue" });
  }

  #handleAll(events: readonly QueueEvent[]): void {
    for (const [, fields] of events) this.#handle(fields);
    const [last] = events.at(-1) ?? [];
    if (last === undefined) return;
    this.#last = last;
    if (isBefore(this.#newest, last)) this.#newest = last;
  }

  #handle(fields: readonly string[]): void {
    const found: { [field: string]: string | undefined } = {};
    for (let at = 0; at < fields.length; at += 2) found[fields[at] ?? ""] = fields[at + 1];
    const { event, jobId, prev, change: number } = found;
    if (this.#unfinished !== undefined) this.#unfinished += change(event, prev);
    if (jobId === undefined || !CHANGES.has(event)) return;
    this.#options.changed(jobId, jobEvent(event, prev), number === undefined ? number : Number(number));
  }
}

function jobEvent(event: string | undefined, prev: string | undefined): JobEvent {
  if (event === "active") return "started";
  return event === "waiting" && prev === undefined ? "stored" : "changed";
}
