/**
 * The events of all queues that hold tasks, as changes of tasks. All tasks that have changed since the last read are
 * read together.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import type { OnError } from "../../log/on_error.ts";
import { remember } from "../../recent.ts";
import { isFinished, type Outcome, type TaskInfo } from "../../task.ts";
import type { JobEvent, Subscription } from "./redis/events/events.ts";
import type { RedisRecords } from "./redis/records.ts";
import type { RedisStore } from "./redis/store.ts";
import { outcomeOf } from "./result.ts";
import { LAST_REVISION, type Snapshot, toTask } from "./snapshot.ts";

/** For how many tasks the revision that was emitted last is remembered. */
const REMEMBERED = 10_000;

/** The pause before a failed read is repeated, in ms. */
const READ_RETRY_MS = 500;

/** How long a task that has started is not read at least, in ms, and at most twice that: if it ends by then, it is read once. */
const START_MS = 20;

/** The longest outcome that is passed on with the end of its task, in UTF-16 units: its watchers keep it for a while. */
const SMALL = 4_096;

/** The part of the store that the feed uses. */
type FeedStore = Pick<RedisStore, "onSignal" | "onReconnect" | "subscribe"> & {
  readonly records: Pick<RedisRecords, "queues" | "read">;
};

/** Emits the changes of tasks, each once and in order. */
export class QueueFeed {
  readonly #store: FeedStore;
  readonly #emit: (event: TaskEvent) => void;
  readonly #onError: OnError;
  readonly #queues = new Map<string, Promise<Subscription>>();
  /** The revision of each task that was emitted last. */
  readonly #emitted = new Map<string, number>();
  /** The number of the newest change of each task that this process made by an answer, and has emitted already. */
  readonly #answered = new Map<string, number>();
  /** The tasks that this process stores or has stored, whose callers may wait for the result. */
  readonly #stored = new Map<string, true>();
  /** The tasks that have started since the timer was set, and those that had by then and are to be read next. */
  #started = new Set<string>();
  #startedBefore = new Set<string>();
  #startTimer: ReturnType<typeof setTimeout> | undefined;
  #changed = new Set<string>();
  #reading = false;
  /** Ends the subscription to signals; `undefined` before `start`. */
  #unsubscribe: (() => void) | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Subscribes to nothing yet. */
  constructor(store: FeedStore, emit: (event: TaskEvent) => void, onError: OnError) {
    this.#onError = onError;
    this.#store = store;
    this.#emit = emit;
  }

  /** Subscribes to every queue that holds tasks, now and later. Emits a gap once all current ones are subscribed to. */
  start(): void {
    if (this.#unsubscribe || this.#closed) return;
    this.#unsubscribe = this.#store.onSignal((signal) => {
      if (signal.kind === "queue") void this.#followNew(signal.queue, signal.since).catch(this.#notSubscribed);
      if (signal.kind === "gap") void this.#followAll();
    });
    this.#store.onReconnect(() => void this.#followAll());
    void this.#followAll();
  }

  /** Subscribes to a queue, if this feed has started. No event after this resolves is missed. */
  async follow(queue: string, since?: number): Promise<void> {
    if (this.#unsubscribe === undefined || this.#closed) return;
    let opening = this.#queues.get(queue);
    if (opening === undefined) {
      opening = this.#subscribe(queue, since);
      this.#queues.set(queue, opening);
      opening.catch(() => this.#queues.delete(queue)); // The caller that awaits it gets the error.
    }
    await opening;
  }

  /** A task of this queue was read. If the queue is not subscribed to yet, ends of its tasks may have been missed. */
  seen(queue: string): void {
    if (this.#unsubscribe === undefined || this.#queues.has(queue)) return;
    void this.follow(queue).then(() => this.#gap(), this.#notSubscribed);
  }

  /** Stores a task with `store`, and emits it. */
  async storing<T extends TaskInfo | undefined>(id: string, store: () => Promise<T>): Promise<T> {
    remember(this.#stored, id, true, REMEMBERED); // At once, because it may end before the answer to its creation.
    let task: T | undefined;
    try {
      task = await store();
      if (task && this.#unsubscribe) this.#emitOnce(task);
      return task;
    } finally {
      if (task === undefined) this.#stored.delete(id);
    }
  }

  /** The task as it was read when it was answered, which is emitted if that has changed it. */
  answered(snapshot: Snapshot, hasChanged: boolean): TaskInfo {
    const task = toTask(snapshot);
    if (hasChanged && this.#unsubscribe) {
      remember(this.#answered, task.id, snapshot.changes, REMEMBERED);
      this.#emitOnce(task);
    }
    return task;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearTimeout(this.#startTimer);
    this.#unsubscribe?.();
    const open = await Promise.allSettled(this.#queues.values());
    await Promise.all(open.map((opened) => opened.status === "fulfilled" && opened.value.close()));
  }

  /** Where this process has subscribed at the moment when another one created the queue, it may lack the first events. */
  async #followNew(queue: string, since: number): Promise<void> {
    const isKnown = this.#queues.has(queue);
    await this.follow(queue, since);
    if (isKnown) this.#gap();
  }

  async #followAll(): Promise<void> {
    try {
      const queues = await this.#store.records.queues();
      await Promise.all(queues.map((queue) => this.follow(queue)));
    } catch (error) {
      // Redis is away. This is repeated after the reconnect.
      return this.#notSubscribed(error);
    }
    this.#gap();
  }

  readonly #notSubscribed = (error: unknown) => {
    if (!this.#closed) this.#onError(error, { where: "subscribe to the events of a queue" });
  };

  #subscribe(queue: string, since?: number): Promise<Subscription> {
    const changed = (id: string, event: JobEvent, change = Infinity) => {
      if (event === "started") return this.#readLater(id);
      // A task that is stored here is emitted without a read. Its event may come before the answer to its creation.
      if (event === "stored" && this.#stored.has(id)) return;
      if (change > (this.#answered.get(id) ?? 0)) this.#readSoon(id);
    };
    return this.#store.subscribe(queue, changed, () => this.#gap(), since);
  }

  #readLater(id: string): void {
    if (this.#closed) return;
    this.#started.add(id);
    this.#startTimer ??= setTimeout(() => this.#readStarted(), START_MS);
  }

  #readStarted(): void {
    for (const id of this.#startedBefore) this.#readSoon(id);
    [this.#startedBefore, this.#started] = [this.#started, new Set()];
    const more = this.#startedBefore.size > 0;
    this.#startTimer = more ? setTimeout(() => this.#readStarted(), START_MS) : undefined;
  }

  #readSoon(id: string): void {
    this.#started.delete(id);
    this.#startedBefore.delete(id);
    this.#changed.add(id);
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    // After the loop that handles one batch of events.
    queueMicrotask(() => void this.#read());
  }

  async #read(): Promise<void> {
    while (this.#changed.size > 0 && !this.#closed) {
      const ids = [...this.#changed];
      this.#changed = new Set();
      const before = ids.map((id) => this.#emitted.get(id));
      const read = (id: string) => this.#store.records.read(id, "", this.#stored.has(id));
      const snapshots = await Promise.all(ids.map(read)).catch((error) => {
        if (!this.#closed) this.#onError(error, { where: "read tasks that have changed" });
      });
      if (snapshots === undefined) {
        if (this.#closed) return;
        for (const id of ids) this.#changed.add(id);
        this.#retry = setTimeout(() => void this.#read(), READ_RETRY_MS);
        return; // Still reading: what changes until then is read then, too.
      }
      for (const [index, snapshot] of snapshots.entries()) {
        if (snapshot !== undefined && !snapshot.expired) this.#emitRead(snapshot, before[index]);
      }
      // The end of a task that has expired by now was missed, so its watchers have to read it.
      const gone = ids.filter((_, index) => snapshots[index]?.expired ?? true);
      if (gone.some((id) => (this.#emitted.get(id) ?? LAST_REVISION) < LAST_REVISION)) {
        for (const id of gone) this.#emitted.delete(id);
        this.#gap();
      }
    }
    this.#reading = false;
  }

  /**
   * Emits a task that was read; the end of one that was stored here with its outcome, unless that is large. `before` is what
   * was emitted last when the read began: if that has not changed and is later, a failover has lost it.
   */
  #emitRead(snapshot: Snapshot, before: number | undefined): void {
    const task = toTask(snapshot);
    const isLost = before !== undefined && before < LAST_REVISION && before > task.revision;
    if (isLost && this.#emitted.get(task.id) === before) this.#emitted.delete(task.id);
    const { result, failedReason = "" } = snapshot;
    const tells = isFinished(task) && this.#stored.delete(task.id) && (result ?? failedReason).length <= SMALL;
    this.#emitOnce(task, tells ? outcomeOf(snapshot, task) : undefined);
  }

  #emitOnce(task: TaskInfo, outcome?: Outcome): void {
    if (task.revision <= (this.#emitted.get(task.id) ?? 0)) return;
    remember(this.#emitted, task.id, task.revision, REMEMBERED);
    this.#emit({ kind: "change", task, ...(outcome && { outcome }) });
  }

  #gap(): void {
    this.#answered.clear(); // A failover may have lost these changes, and given their numbers to others.
    if (!this.#closed) this.#emit({ kind: "gap" });
  }
}
