/**
 * BullMQ on Redis: the connections, and what is opened on them.
 *
 * While Redis is away, a server's calls fail at once, so that its client learns of it; workers and subscriptions wait
 * until Redis is back, so that nothing is lost.
 *
 * @module
 */
import type { Queue } from "bullmq";
import type { Redis } from "ioredis";
import type { WorkerInfo, WorkOptions } from "../../../backend.ts";
import { CALL_A_LISTENER, guarded, type OnError } from "../../../log/on_error.ts";
import { Deadline } from "../../shared/deadline.ts";
import { type BullMq, closeForGood, loadLibraries } from "../internals.ts";
import { connect, refuseAway } from "./connection.ts";
import { type JobListener, RedisEvents, type Subscription } from "./events/events.ts";
import { countJobs } from "./events/tally.ts";
import { ownPrefix } from "./keys.ts";
import { RedisParking } from "./parking.ts";
import { RedisRecords } from "./records.ts";
import { RedisScripts } from "./scripts/run.ts";
import { type Signal, subscribeToSignals } from "./events/signals.ts";
import { transactionsOn } from "./transaction.ts";
import { RedisWorkers } from "./workers.ts";

/** How long the key that `check` writes is kept, in ms. */
const CHECK_TTL_MS = 60_000;

/**
 * How long a list of connections is used, in ms. Redis takes 2 ms for one of 1,000, and every look at a task that waits
 * wants to know.
 */
const CONNECTIONS_TTL_MS = 1_000;

/** How long Redis has to answer, in ms. */
const ANSWER_MS = 1_200;

/** BullMQ's own prefix of keys. */
const DEFAULT_PREFIX = "bull";

/** A Redis with BullMQ on it. */
export class RedisStore {
  readonly bullmq: BullMq;
  /** Our scripts on the connection that calls share. */
  readonly scripts: RedisScripts;
  readonly records: RedisRecords;
  readonly parking: RedisParking;
  /** How long an answer of Redis may take. */
  readonly deadline: Deadline = new Deadline("Redis has not answered in time", ANSWER_MS);
  readonly #prefix: string;
  readonly #onError: OnError;
  readonly #client: Redis;
  readonly #queues = new Map<string, Queue>();
  readonly #listeners = new Set<(signal: Signal) => void>();
  /** The names of Redis's connections and those that our living workers would have, and when they were asked for. */
  #connections: { readonly at: number; readonly names: Promise<readonly string[]> } | undefined;
  /** Ends the subscription to signals. */
  #unsubscribe: (() => Promise<void>) | undefined;
  #reconnected: Promise<void> | undefined;
  #closed = false;

  private constructor(bullmq: BullMq, client: Redis, prefix: string, onError: OnError) {
    this.#onError = onError;
    this.bullmq = bullmq;
    this.#client = client;
    this.#prefix = prefix;
    const scripts = this.scripts = new RedisScripts(bullmq.createIORedisClient(client), prefix, this.deadline);
    this.records = new RedisRecords(scripts, transactionsOn(client), (name) => this.queue(name));
    this.parking = new RedisParking(scripts);
  }

  /** Connects. Rejects at once if Redis is not there, or lacks something that will be needed. */
  static async open(url: string, onError: OnError, prefix: string = DEFAULT_PREFIX): Promise<RedisStore> {
    const { bullmq, Redis } = await loadLibraries();
    return new RedisStore(bullmq, await connect(Redis, url, prefix, onError), prefix, onError);
  }

  /** The queue of this name, for short calls that fail at once while Redis is away. */
  async queue(name: string): Promise<Queue> {
    refuseAway(this.#client);
    const queue = this.#queues.get(name) ?? this.#open(name);
    await queue.waitUntilReady();
    return queue;
  }

  /**
   * Subscribes to a queue's events from now on, or from an earlier time by Redis's clock, in ms. `missed` is called
   * when events may have been lost.
   */
  async subscribe(queue: string, changed: JobListener, missed: () => void, since?: number): Promise<Subscription> {
    const stream = `${this.#prefix}:${queue}:events`;
    const options = { stream, changed, missed, onError: this.#onError };
    if (since !== undefined) return new RedisEvents(this.#client, { ...options, from: `${since - 1}` });
    // Reading "from now on" would lose what happens before the first read, so it starts after the last event.
    const { newest: from, unfinished } = await countJobs(this.#client, stream);
    return new RedisEvents(this.#client, { ...options, from, unfinished });
  }

  /** Prepares to start BullMQ's workers, which keep the limits of these jobs. */
  workers(limits?: WorkOptions["limits"]): RedisWorkers {
    return new RedisWorkers(this.bullmq, this.#client, this.#prefix, limits);
  }

  /** Writes a small key that nobody reads. Rejects if Redis takes no writes. */
  async check(): Promise<void> {
    await this.#client.set(`${ownPrefix(this.#prefix)}check`, "", "PX", CHECK_TTL_MS);
  }

  /**
   * For which of these jobs a worker is connected, in the queue of their name, if it can be one, or in one that they are
   * routed to.
   */
  async withWorker(jobs: readonly string[]): Promise<readonly string[]> {
    const routes = (await this.#client.smembers(this.scripts.key("routes"))).map((route) => route.split(/:(.*)/s));
    const found = await Promise.all(jobs.map(async (job) => {
      const routed = routes.flatMap(([queue = "", name]) => name === job ? queue : []);
      const queues = job.includes(":") ? routed : [job, ...routed];
      return (await Promise.all(queues.map((queue) => this.hasWorker(queue)))).includes(true) ? job : [];
    }));
    return found.flat();
  }

  /** Whether a worker of this queue is connected, or was a second ago, or one of ours is alive. */
  async hasWorker(name: string): Promise<boolean> {
    const backend = (await this.queue(name)).getBackend();
    // A worker's connection is named after the queue in base64, with its own name after ":w:"; in Python without
    // base64.
    const [plain, coded] = [`${this.#prefix}:${name}`, backend.clientName()];
    try {
      const names = await this.#connectionNames();
      return names.some((client) => client === plain || client === coded || client.startsWith(`${coded}:w:`));
    } catch (error) {
      // Some hosts of Redis do not list connections. Answering "no" would be wrong then.
      if (error instanceof Error && /unknown command|NOPERM/i.test(error.message)) return true;
      throw error;
    }
  }

  /** Calls back with every signal, until the store is closed. Returns a function that stops it. */
  onSignal(listener: (signal: Signal) => void): () => void {
    if (this.#closed) return () => {};
    const tell = guarded(listener, (error) => this.#onError(error, { where: CALL_A_LISTENER }));
    this.#listeners.add(tell);
    this.#unsubscribe ??= subscribeToSignals(this.#client, this.#prefix, (signal) => {
      for (const tell of [...this.#listeners]) tell(signal);
    }, this.#onError);
    return () => this.#listeners.delete(tell);
  }

  /** Resolves once Redis is connected again; `undefined` while it is connected. */
  get reconnected(): Promise<void> | undefined {
    if (this.#client.status === "ready") return undefined;
    // One listener for all calls that wait.
    return this.#reconnected ??= new Promise((resolve) =>
      this.#client.once("ready", () => {
        this.#reconnected = undefined;
        resolve();
      })
    );
  }

  /** Calls back after every reconnect. */
  onReconnect(listener: () => void): void {
    this.#client.on("ready", listener);
  }

  /** Closes all connections but those of workers. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    await Promise.all([this.#unsubscribe?.(), closeForGood(this.#client)]);
  }

  #connectionNames(): Promise<readonly string[]> {
    const at = performance.now();
    if (this.#connections === undefined || at - this.#connections.at >= CONNECTIONS_TTL_MS) {
      const names = this.#listConnections();
      names.catch(() => this.#connections = undefined); // The looks that wait for it fail, and the next one asks again.
      this.#connections = { at, names };
    }
    return this.#connections.names;
  }

  async #listConnections(): Promise<readonly string[]> {
    const [list, living] = await Promise.all([
      this.#client.client("LIST"),
      this.scripts.send<readonly string[]>("living"),
    ]);
    const names = Array.from(String(list).matchAll(/ name=(\S+) /g), ([, name = ""]) => name);
    // One of ours that stops has closed the connection with its name, and still runs what it has begun.
    const ours = living.flatMap((text) => (JSON.parse(text) as Pick<WorkerInfo, "jobs">).jobs);
    return [...names, ...ours.map((job) => `${this.#prefix}:${job}`)];
  }

  #open(name: string): Queue {
    // The queue's settings are its owner's: nothing of ours is written there.
    const queue = new this.bullmq.Queue(name, {
      connection: this.#client,
      prefix: this.#prefix,
      skipMetasUpdate: true,
      skipVersionCheck: true,
    });
    queue.on("error", () => {}); // The call on it that fails rejects, too.
    this.#queues.set(name, queue);
    return queue;
  }
}
