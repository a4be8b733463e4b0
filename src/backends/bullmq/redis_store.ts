/**
 * BullMQ on Redis: the connections, and what is opened on them.
 *
 * Two ways to wait while Redis is away: the calls of a server fail at once, so that its client is told; a worker and
 * the events wait until it is back, so that nothing is lost.
 *
 * @module
 */
import type { Processor, Queue, QueueEvents, Worker } from "bullmq";
import type { Redis, RedisOptions } from "ioredis";
import { RedisRecords } from "./redis_records.ts";
import type { BullMq, QueueWorkerOptions, Signal, Store } from "./store.ts";

/** How long a call waits for Redis to answer, in ms. */
const CALL_MS = 1_500;

/** The pause before the next try to connect, in ms. */
const retryStrategy = (times: number) => Math.min(50 * times, 500);

/** BullMQ's own prefix of keys. */
const DEFAULT_PREFIX = "bull";

/** A Redis with BullMQ on it. */
export class RedisStore implements Store {
  readonly bullmq: BullMq;
  readonly records: RedisRecords;
  readonly #prefix: string;
  readonly #client: Redis;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Set<(signal: Signal) => void>();
  #waiting: Redis | undefined;
  #subscriber: Redis | undefined;

  private constructor(bullmq: BullMq, client: Redis, prefix: string) {
    this.bullmq = bullmq;
    this.#client = client;
    this.#prefix = prefix;
    this.records = new RedisRecords(bullmq.createIORedisClient(client), prefix, (name) => this.queue(name));
  }

  /** Connects. Rejects at once if Redis is not there. */
  static async open(url: string, prefix: string = DEFAULT_PREFIX): Promise<RedisStore> {
    const [bullmq, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
    const client = new Redis(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      commandTimeout: CALL_MS,
      connectTimeout: CALL_MS,
      retryStrategy,
    });
    // Each call tells of its own failure.
    client.on("error", () => {});
    try {
      await client.connect();
    } catch (error) {
      client.disconnect();
      throw error;
    }
    return new RedisStore(bullmq, client, prefix);
  }

  async queue(name: string): Promise<Queue> {
    // BullMQ would wait until Redis is back.
    if (this.#client.status !== "ready") throw new Error("Redis is not connected.");
    const queue = this.#queues.get(name) ?? this.#open(name);
    await queue.waitUntilReady();
    return queue;
  }

  async events(name: string, since?: number): Promise<QueueEvents> {
    const events = new this.bullmq.QueueEvents(name, {
      connection: this.#patient(),
      prefix: this.#prefix,
      lastEventId: since === undefined ? await this.#lastEvent(name) : `${since - 1}`,
      skipVersionCheck: true,
    });
    events.on("error", () => {});
    return events;
  }

  worker(name: string, run: Processor, options: QueueWorkerOptions): Worker {
    const worker = new this.bullmq.Worker(name, run, {
      connection: this.#patient(),
      prefix: this.#prefix,
      maxStalledCount: 2,
      runRetryDelay: 500,
      // A worker with room for several tasks sometimes misses that a retry has become due; then it looks after this time.
      drainDelay: 0.5,
      ...options,
    });
    worker.on("error", () => {});
    return worker;
  }

  async hasWorker(name: string): Promise<boolean> {
    return await (await this.queue(name)).getWorkersCount() > 0;
  }

  listen(listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener);
    this.#subscriber ??= this.#subscribe();
    return () => this.#listeners.delete(listener);
  }

  onBack(listener: () => void): void {
    this.#client.on("ready", listener);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await Promise.all([this.#subscriber, this.#waiting, this.#client].map((client) => client && disconnect(client)));
  }

  /** To listen from the last event on: "from now on" would lose what happens before the first read. */
  async #lastEvent(queue: string): Promise<string> {
    const [last] = await this.#client.xrevrange(`${this.#prefix}:${queue}:events`, "+", "-", "COUNT", 1);
    return last?.[0] ?? "0-0";
  }

  #open(name: string): Queue {
    // The queue's settings are its owner's: nothing of ours is written there.
    const queue = new this.bullmq.Queue(name, {
      connection: this.#client,
      prefix: this.#prefix,
      skipMetasUpdate: true,
      skipVersionCheck: true,
    });
    queue.on("error", () => {});
    this.#queues.set(name, queue);
    return queue;
  }

  /** The connection that workers share, and that those that block are copied from. */
  #patient(): Redis {
    return this.#waiting ??= this.#connect({ connectTimeout: 10_000 });
  }

  #subscribe(): Redis {
    const channel = `${this.#prefix}:mcp-jobs:signals`;
    const subscriber = this.#connect({ autoResubscribe: false });
    const tell = (signal: Signal) => {
      for (const listener of [...this.#listeners]) listener(signal);
    };
    subscriber.on("message", (_channel, message) => {
      const [kind, id = "", ...queue] = message.split(" ");
      if (kind === "stop" || kind === "answer") tell({ kind, id });
      if (kind === "queue") tell({ kind, since: Number(id), queue: queue.join(" ") });
    });
    // What was told while nobody subscribed has not been heard.
    subscriber.on("ready", () => subscriber.subscribe(channel).then(() => tell({ kind: "gap" }), () => {}));
    return subscriber;
  }

  #connect(options: RedisOptions): Redis {
    const client = this.#client.duplicate({
      lazyConnect: false,
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      commandTimeout: undefined,
      ...options,
    });
    client.on("error", () => {});
    return client;
  }
}

/** Closes a connection, and waits until it is closed. */
async function disconnect(client: Redis): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once("end", resolve));
  const open = client.status === "ready" || client.status === "connect" || client.status === "connecting";
  client.disconnect();
  // One that is between two tries to connect has nothing to close, and tells nothing.
  if (open) await closed;
}
