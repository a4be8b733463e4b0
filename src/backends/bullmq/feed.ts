/**
 * The events of all queues that hold tasks, as changes of tasks: one read for all tasks that have changed since
 * the last.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import { logError, unheard } from "../../log/log_error.ts";
import { remember } from "../../recent.ts";
import type { TaskInfo } from "../../task.ts";
import { LAST_REVISION, toTask } from "./snapshot.ts";
import type { Following, Records, Store } from "./database.ts";

/** For how many tasks it is remembered what was told last. */
const REMEMBERED = 10_000;

/** The pause before what could not be read is read again, in ms. */
const READ_RETRY_MS = 500;

/** What fails where a queue cannot be listened to. */
const FOLLOW = "listen to the events of a queue";

/** What the feed needs of a store. */
type FeedStore = Pick<Store, "listen" | "onBack" | "follow"> & { readonly records: Pick<Records, "queues" | "read"> };

/** The changes of tasks, told once each and in order. */
export class QueueFeed {
  readonly #store: FeedStore;
  readonly #tell: (event: TaskEvent) => void;
  readonly #queues = new Map<string, Promise<Following>>();
  readonly #told = new Map<string, number>();
  readonly #storing = new Set<string>();
  #changed = new Set<string>();
  #reading = false;
  #deaf: (() => void) | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #closed = false;

  /** Listens to nothing yet. */
  constructor(store: FeedStore, tell: (event: TaskEvent) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  /** Listens to every queue that holds tasks, now and later. A gap is told once all are listened to. */
  start(): void {
    if (this.#deaf) return;
    this.#deaf = this.#store.listen((signal) => {
      if (signal.kind === "queue") void this.follow(signal.queue, signal.since).catch(unheard(FOLLOW));
      if (signal.kind === "gap") void this.#followAll();
    });
    this.#store.onBack(() => void this.#followAll());
    void this.#followAll();
  }

  /** Listens to a queue, if this feed has started. Nothing that happens after this resolves is missed. */
  async follow(queue: string, since?: number): Promise<void> {
    if (this.#deaf === undefined || this.#closed) return;
    let opening = this.#queues.get(queue);
    if (opening === undefined) {
      opening = this.#listen(queue, since);
      this.#queues.set(queue, opening);
      opening.catch(() => this.#queues.delete(queue));
    }
    await opening;
  }

  /** Comes upon a queue that holds tasks. If no signal has told of it, who waits for one of these may have missed its end. */
  meet(queue: string): void {
    if (this.#deaf === undefined || this.#queues.has(queue)) return;
    void this.follow(queue).then(() => this.#gap(), unheard(FOLLOW));
  }

  /** Stores a task here, and tells of it. */
  async storing(id: string, store: () => Promise<TaskInfo>): Promise<TaskInfo> {
    this.#storing.add(id);
    try {
      const task = await store();
      if (this.#deaf) this.#tellOnce(task);
      return task;
    } finally {
      this.#storing.delete(id);
    }
  }

  /** Stops listening. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#deaf?.();
    const open = await Promise.allSettled(this.#queues.values());
    await Promise.all(open.map((opened) => opened.status === "fulfilled" && opened.value.close()));
  }

  async #followAll(): Promise<void> {
    try {
      const queues = await this.#store.records.queues();
      await Promise.all(queues.map((queue) => this.follow(queue)));
    } catch (error) {
      // The store is away; this is done again when it is back.
      return this.#closed ? undefined : logError(FOLLOW, error);
    }
    this.#gap();
  }

  #listen(queue: string, since?: number): Promise<Following> {
    const hear = (id: string, stored: boolean) => {
      // What is stored here is told without a read. Its event may come before the answer to who stores it.
      if (!stored || !this.#told.has(id) && !this.#storing.has(id)) this.#hear(id);
    };
    return this.#store.follow(queue, hear, () => this.#gap(), since);
  }

  #hear(id: string): void {
    this.#changed.add(id);
    if (this.#reading || this.#closed) return;
    this.#reading = true;
    // After the loop that hands out one batch of events.
    queueMicrotask(() => void this.#read());
  }

  async #read(): Promise<void> {
    while (this.#changed.size > 0 && !this.#closed) {
      const ids = [...this.#changed];
      this.#changed = new Set();
      const snapshots = await Promise.all(ids.map((id) => this.#store.records.read(id))).catch((error) => {
        if (!this.#closed) logError("read tasks that have changed", error);
      });
      if (snapshots === undefined) {
        if (this.#closed) return;
        for (const id of ids) this.#changed.add(id);
        this.#retry = setTimeout(() => void this.#read(), READ_RETRY_MS);
        return; // Still reading: what changes meanwhile is read then, too.
      }
      for (const snapshot of snapshots) {
        if (snapshot !== undefined && !snapshot.expired) this.#tellOnce(toTask(snapshot));
      }
      // The end of one that is gone by now was not seen: who watches it has to look.
      const gone = ids.filter((_, index) => snapshots[index]?.expired ?? true);
      if (gone.some((id) => (this.#told.get(id) ?? LAST_REVISION) < LAST_REVISION)) {
        for (const id of gone) this.#told.delete(id);
        this.#gap();
      }
    }
    this.#reading = false;
  }

  #tellOnce(task: TaskInfo): void {
    if (task.revision <= (this.#told.get(task.id) ?? 0)) return;
    remember(this.#told, task.id, task.revision, REMEMBERED);
    this.#tell({ kind: "change", task });
  }

  #gap(): void {
    if (!this.#closed) this.#tell({ kind: "gap" });
  }
}
