/**
 * The events of one queue on Redis, through BullMQ's QueueEvents.
 *
 * @module
 */
import type { QueueEvents } from "bullmq";
import type { Redis } from "ioredis";
import { end, withCopy } from "./redis_connection.ts";
import { LONGEST_BLOCK_MS, withPulse } from "./redis_pulse.ts";
import type { BullMq, Following, Hear } from "./store.ts";

/** The events after which a task may stand elsewhere. The last is ours. */
const TELLING = [
  "delayed",
  "active",
  "progress",
  "stalled",
  "waiting-children",
  "completed",
  "failed",
  "removed",
  "mcp-jobs",
] as const;

/** What is listened to, and who hears it. */
export interface Listening {
  readonly queue: string;
  /** The event after which to begin. */
  readonly from: string;
  readonly hear: Hear;
  /** Called after the connection was away. */
  readonly missed: () => void;
}

/** Listens to one queue, on a connection of its own. */
export class RedisEvents implements Following {
  readonly #events: QueueEvents;
  readonly #connection: Redis;

  /** `patient` is the connection to copy. */
  constructor(bullmq: BullMq, patient: Redis, prefix: string, { queue, from, hear, missed }: Listening) {
    const settings = {
      connection: patient,
      prefix,
      lastEventId: from,
      skipVersionCheck: true,
      blockingTimeout: LONGEST_BLOCK_MS,
    };
    const [events, connection] = withCopy(patient, () => new bullmq.QueueEvents(queue, settings));
    this.#events = events;
    this.#connection = withPulse(connection);
    events.on("error", () => {});
    events.on("waiting", ({ jobId, prev }) => hear(jobId, prev === undefined));
    const changed = ({ jobId }: { readonly jobId: string }) => hear(jobId, false);
    for (const event of TELLING) events.on(event as "active", changed);
    let connected = false;
    events.getBackend().on("ready", () => {
      if (connected) missed();
      connected = true;
    });
  }

  async close(): Promise<void> {
    const closed = this.#events.close().catch(() => {}); // It may be closed before it was open.
    await end(this.#connection);
    await closed;
  }
}
