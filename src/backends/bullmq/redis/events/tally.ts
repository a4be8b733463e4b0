/**
 * Detects that jobs have left a queue without an event. BullMQ's `drain` and `obliterate`, and FLUSHALL, delete jobs
 * without one; the event of `clean` says only how many. So the unfinished jobs are counted regularly and compared with
 * what the events add up to.
 *
 * @module
 */
import type { Redis } from "ioredis";

/** The most events that are read with a count. If there are more, the count cannot be compared. */
const MAX_EVENTS = 1_000;

/**
 * KEYS: the events, three lists of jobs, three sets of jobs. ARGV: the last event that was read, or "" if none are to be read,
 * and MAX_EVENTS.
 */
const COUNT = `
local unfinished = 0
for i = 2, 4 do unfinished = unfinished + redis.call("LLEN", KEYS[i]) end
for i = 5, 7 do unfinished = unfinished + redis.call("ZCARD", KEYS[i]) end
local newest = redis.call("XREVRANGE", KEYS[1], "+", "-", "COUNT", 1)[1]
local events = ARGV[1] == "" and {} or redis.call("XRANGE", KEYS[1], "(" .. ARGV[1], "+", "COUNT", ARGV[2])
return { unfinished, newest and newest[1] or "0-0", events }`;

const UNFINISHED = ["wait", "paused", "active", "prioritized", "delayed", "waiting-children"];

/** An event of the queue's stream: its id, then the names and values of its fields. */
export type QueueEvent = readonly [id: string, fields: readonly string[]];

/** A queue at one moment. */
export interface Count {
  /** How many jobs were not finished. */
  readonly unfinished: number;
  /** The id of the newest event. */
  readonly newest: string;
  /** The events since the last that was read, up to `newest`. */
  readonly events: readonly QueueEvent[];
  /** Whether `events` has all of them. */
  readonly whole: boolean;
}

/** Counts the unfinished jobs of the queue whose events are at the key `stream`, and reads its events after `last`, if given. */
export async function countJobs(redis: Redis, stream: string, last: string = ""): Promise<Count> {
  const queue = stream.replace(/events$/, "");
  const keys = [stream, ...UNFINISHED.map((state) => queue + state)];
  const found = await redis.eval(COUNT, keys.length, ...keys, last, MAX_EVENTS);
  const [unfinished, newest, events] = found as [number, string, QueueEvent[]];
  return { unfinished, newest, events, whole: events.length < MAX_EVENTS };
}

/** By how much an event changes the number of unfinished jobs. */
export function change(event: string | undefined, prev: string | undefined): -1 | 0 | 1 {
  const wasFinished = prev === "completed" || prev === "failed";
  switch (event) {
    case "added":
      return 1;
    case "waiting": // A finished job may have been retried by hand.
      return wasFinished ? 1 : 0;
    case "completed":
    case "failed":
      return -1;
    case "removed":
      return wasFinished ? 0 : -1;
    default:
      return 0;
  }
}

/** Whether an event's id comes before another. */
export function isBefore(id: string, other: string): boolean {
  const [ms = 0, number = 0] = id.split("-").map(Number);
  const [otherMs = 0, otherNumber = 0] = other.split("-").map(Number);
  return ms === otherMs ? number < otherNumber : ms < otherMs;
}
