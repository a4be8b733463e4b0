/**
 * The events of one queue on Redis, from the stream that BullMQ writes them to.
 *
 * BullMQ's own QueueEvents parses what workers put into events, and never listens again after a text that is no JSON.
 * And it does not notice that the stream has lost events that it has not read yet. Here only names and ids are read.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { doneWithin } from "../../../waiting.ts";
import { logError } from "../../../log/log_error.ts";
import { closable, end } from "./connection.ts";
import { LONGEST_BLOCK_MS, withPulse } from "./pulse.ts";
import { change, countJobs, isBefore, type QueueEvent } from "./tally.ts";
import type { Following, Hear } from "../database.ts";

/** The events after which a task may stand elsewhere. The last is ours. */
const TELLING: ReadonlySet<string | undefined> = new Set([
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

/** From how many events at once it is looked whether others were dropped before them: Redis drops the oldest of many. */
const MANY = 50;

/** The pause after Redis has refused to read, in ms. */
const RETRY_MS = 500;

/** How often the jobs are counted, in ms. */
const COUNT_MS = LONGEST_BLOCK_MS / 2;

/** What is listened to, and who hears it. */
export interface Listening {
  /** The key of the queue's events. */
  readonly stream: string;
  /** The event after which to begin. */
  readonly from: string;
  readonly hear: Hear;
  /** Called after the connection was away, and when events were dropped before they were read, or jobs left without one. */
  readonly missed: () => void;
}

/** Listens to one queue, on a connection of its own. */
export class RedisEvents implements Following {
  readonly #connection: Redis;
  readonly #listening: Listening;
  readonly #closed = Promise.withResolvers<void>();
  readonly #reading: Promise<void>;
  #open = true;
  /** The last event that was read. */
  #last: string;
  /** How many jobs are not finished, as the events say; `undefined` before the first count. */
  #unfinished: number | undefined;
  /** The newest event that the stream is known to have had. */
  #newest = "0-0";
  #countAt = 0;

  /** `patient` is the connection to copy. */
  constructor(patient: Redis, listening: Listening) {
    this.#connection = withPulse(closable(patient.duplicate()));
    this.#listening = listening;
    this.#last = listening.from;
    this.#connection.on("error", () => {});
    let connected = false;
    this.#connection.on("ready", () => {
      if (connected) listening.missed();
      connected = true;
    });
    this.#reading = this.#read();
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#closed.resolve();
    await end(this.#connection);
    await this.#reading;
  }

  async #read(): Promise<void> {
    const { stream, missed } = this.#listening;
    while (this.#open) {
      try {
        if (this.#countAt <= performance.now()) await this.#count().catch((error) => this.#missCount(error));
        const before = this.#last;
        const block = Math.ceil(Math.max(1, this.#countAt - performance.now()));
        const found = await this.#connection.xread("BLOCK", block, "STREAMS", stream, before);
        const events = found?.[0]?.[1] ?? [];
        // Where nothing is left of what was read before, more may be gone.
        const dropped = events.length >= MANY &&
          (await this.#connection.xrange(stream, "-", before, "COUNT", 1)).length === 0;
        this.#handAll(events);
        if (!dropped) continue;
        this.#unfinished = undefined;
        missed();
      } catch (error) {
        if (this.#open) logError("read the events of a queue", error);
        await doneWithin(this.#closed.promise, RETRY_MS);
      }
    }
  }

  /** Finds out whether jobs have left the queue without an event. */
  async #count(): Promise<void> {
    const { stream, missed } = this.#listening;
    const { unfinished, newest, events, whole } = await countJobs(this.#connection, stream, this.#last);
    this.#countAt = performance.now() + COUNT_MS;
    this.#handAll(events);
    const left = whole && this.#unfinished !== undefined && unfinished < this.#unfinished;
    // What comes before an event that was there belongs to a new stream, whose first events may have been taken for old.
    const anew = isBefore(newest, this.#newest);
    if (anew) this.#last = "0-0";
    this.#newest = newest;
    this.#unfinished = whole ? unfinished : undefined;
    if (left || anew) missed();
  }

  /** The events are read all the same. */
  #missCount(error: unknown): void {
    this.#countAt = performance.now() + COUNT_MS;
    this.#unfinished = undefined;
    if (this.#open) logError("count the jobs of a queue", error);
  }

  #handAll(events: readonly QueueEvent[]): void {
    for (const [id, fields] of events) {
      this.#last = id;
      if (isBefore(this.#newest, id)) this.#newest = id;
      this.#hand(fields);
    }
  }

  #hand(fields: readonly string[]): void {
    const found: { [field: string]: string | undefined } = {};
    for (let at = 0; at < fields.length; at += 2) found[fields[at] ?? ""] = fields[at + 1];
    const { event, jobId, prev } = found;
    if (this.#unfinished !== undefined) this.#unfinished += change(event, prev);
    if (jobId === undefined || !TELLING.has(event)) return;
    this.#listening.hear(jobId, event === "waiting" && prev === undefined);
  }
}
