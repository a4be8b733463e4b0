/**
 * BullMQ on Redis: the connections, and what is opened on them.
 *
 * Two ways to wait while Redis is away: the calls of a server fail at once, so that its client is told; a worker and
 * the events wait until it is back, so that nothing is lost.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import { writeLine } from "../../../log/stderr.ts";
import { inTime, storeDeadline } from "../deadline.ts";
import { closable, end, isFromReplica } from "./connection.ts";
import { RedisEvents } from "./events.ts";
import { probe, signalsOf } from "./probe.ts";
import { withPulse } from "./pulse.ts";
import { RedisRecords } from "./records.ts";
import { RedisScripts } from "./scripts/run.ts";
import { RedisSignals } from "./signals.ts";
import { RedisStreams } from "./streams.ts";
import { transactionsOn } from "./transaction.ts";
import { RedisWorkers } from "./workers.ts";
import type { BullMq, Following, Hear, Signal, Store, Workers } from "../database.ts";

/** How long one try to connect may take, in ms. */
const CONNECT_MS = 1_500;

/** How long it may take until a Redis that is new to us is connected and has been tried, in ms. */
const OPEN_MS = 2_000;

/** How long a connection that is closed waits for Redis to close it, too, in ms. */
const DISCONNECT_MS = 500;

/** How long it waits at most, in ms, before it looks again whether a Redis that starts has read its data. */
const LOADING_MS = 100;

/** For how long what a check has written is kept, in ms. */
const CHECK_KEPT_MS = 60_000;

/** BullMQ's own prefix of keys. */
const DEFAULT_PREFIX = "bull";

/** A Redis with BullMQ on it. */
export class RedisStore implements Store {
  readonly bullmq: BullMq;
  readonly records: RedisRecords;
  readonly streams: RedisStreams;
  readonly answers = storeDeadline();
  readonly #prefix: string;
  readonly #client: Redis;
  /** Never connected: those that wait for Redis are copies of it. */
  readonly #patient: Redis;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Set<(signal: Signal) => void>();
  #signals: RedisSignals | undefined;
  #back: Promise<void> | undefined;

  private constructor(bullmq: BullMq, client: Redis, prefix: string) {
    this.bullmq = bullmq;
    this.#client = client;
    this.#prefix = prefix;
    this.#patient = client.duplicate({
      enableOfflineQueue: true,
      maxRetriesPerRequest: null,
      autoResubscribe: false,
      reconnectOnError: (error: Error) => isFromReplica(error) && 2, // And the command is sent again.
    });
    // Its copies connect by themselves, and try again for ever.
    this.#patient.options.lazyConnect = false;
    const scripts = new RedisScripts(bullmq.createIORedisClient(client), prefix);
    this.records = new RedisRecords(scripts, transactionsOn(client), (name) => this.queue(name), this.answers);
    this.streams = new RedisStreams(scripts);
  }

  /** Connects. Rejects at once if Redis is not there, or if something is missing that will be needed. */
  static async open(url: string, prefix: string = DEFAULT_PREFIX): Promise<RedisStore> {
    const [bullmq, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
    let connected = false;
    const client = withPulse(closable(
      new Redis(url, {
        lazyConnect: true,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 1,
        connectTimeout: CONNECT_MS,
        disconnectTimeout: DISCONNECT_MS,
        maxLoadingRetryTime: LOADING_MS,
        reconnectOnError: isFromReplica,
        // The first try is the only one; once connected, it is tried again for ever.
        retryStrategy: (times) => connected ? Math.min(50 * times, 500) : null,
      }),
    ));
    // Each call tells of its own failure; this one has the reason why there is no connection.
    let reason: unknown;
    client.on("error", (error) => reason = error);
    const opening = client.connect().catch((error) => {
      throw reason ?? error;
    });
    try {
      const { db = 0 } = client.options;
      // ioredis goes on with database 0, and says nothing, where Redis has not the one that it is to take.
      const chosen = opening.then(() => db === 0 ? "OK" : client.select(db));
      const warning = await inTime(chosen.then(() => probe(client, prefix)), "it has not answered in time", OPEN_MS);
      if (warning !== undefined) writeLine(`mcp-jobs: ${warning}`);
    } catch (error) {
      await end(client);
      throw error;
    }
    connected = true;
    return new RedisStore(bullmq, client, prefix);
  }

  async queue(name: string): Promise<Queue> {
    // BullMQ would wait until Redis is back.
    if (this.#client.status !== "ready") throw new Error("Redis is not connected.");
    const queue = this.#queues.get(name) ?? this.#open(name);
    await queue.waitUntilReady();
    return queue;
  }

  async follow(queue: string, hear: Hear, missed: () => void, since?: number): Promise<Following> {
    const stream = `${this.#prefix}:${queue}:events`;
    const from = since === undefined ? await this.#lastEvent(stream) : `${since - 1}`;
    return new RedisEvents(this.#patient, { stream, from, hear, missed });
  }

  workers(): Workers {
    return new RedisWorkers(this.bullmq, this.#patient, this.#prefix);
  }

  async check(): Promise<void> {
    await this.#client.set(`${this.#prefix}:mcp-jobs:check`, "", "PX", CHECK_KEPT_MS);
  }

  async hasWorker(name: string): Promise<boolean> {
    const backend = (await this.queue(name)).getBackend();
    // A worker's connection has the queue's name, in base64, and its own behind ":w:"; those in Python have it as it is.
    const [plain, coded] = [`${this.#prefix}:${name}`, backend.clientName()];
    try {
      const clients = (await backend.getClientList()).join("\n");
      const names = clients.matchAll(/ name=(\S*) /g).map(([, client = ""]) => client);
      return names.some((client) => client === plain || client === coded || client.startsWith(`${coded}:w:`));
    } catch (error) {
      // Some hosts of Redis do not tell who is connected. To say that nobody is would be wrong.
      if (error instanceof Error && /unknown command|NOPERM/i.test(error.message)) return true;
      throw error;
    }
  }

  listen(listener: (signal: Signal) => void): () => void {
    this.#listeners.add(listener);
    this.#signals ??= new RedisSignals(this.#patient, signalsOf(this.#prefix), (signal) => {
      for (const listener of [...this.#listeners]) listener(signal);
    });
    return () => this.#listeners.delete(listener);
  }

  get away(): Promise<void> | undefined {
    if (this.#client.status === "ready") return undefined;
    // One listener for all who wait, however many they are.
    return this.#back ??= new Promise((resolve) =>
      this.#client.once("ready", () => {
        this.#back = undefined;
        resolve();
      })
    );
  }

  onBack(listener: () => void): void {
    this.#client.on("ready", listener);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await Promise.all([this.#signals?.close(), end(this.#client)]);
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

  /** To listen from the last event on: "from now on" would lose what happens before the first read. */
  async #lastEvent(stream: string): Promise<string> {
    const [last] = await this.#client.xrevrange(stream, "+", "-", "COUNT", 1);
    return last?.[0] ?? "0-0";
  }
}
