/**
 * Tasks in memory.
 *
 * @module
 */
import type { JobLimits, LogLine, RecordedStep, StreamStore } from "../../backend.ts";
import { expiresAt, isFinished, type Json, type Outcome, type TaskInfo, TOMBSTONE_MS } from "../../task.ts";
import { aheadOf, isTaskId } from "../../ids.ts";
import { credibleDue } from "../shared/clock.ts";
import { dueAtOf, type TaskRecord } from "../shared/record.ts";
import { ID_LENGTH } from "../../contract/task_key.ts";
import type { Hub } from "../shared/store/hub.ts";
import { documentsIn } from "./documents.ts";
import type { Entry, KeyCondition, OperatingStore, Queue, ReadyTasks, Store } from "../shared/store/store.ts";
import { operatingOf } from "./operating.ts";
import { newestLines } from "../../task_log/newest_lines.ts";
import { moreOf } from "../shared/job_limits.ts";
import { MemoryLimits } from "./job_limits.ts";
import { ReadyQueues } from "./queues.ts";
import { memoryStreams } from "./streams.ts";
import { TaskTable } from "./tasks.ts";

/**
 * A task as it is now. Each change makes another entry. Input and outcome are kept as JSON, so that objects outside the
 * store cannot change them.
 */
interface MemoryEntry extends Entry {
  readonly input: string;
  readonly outcome?: string;
  readonly log?: readonly LogLine[];
}

/** Expired tasks are deleted when there are this many tasks, and then each time that the number has doubled. */
const FIRST_SWEEP = 1_000;

/** Keeps the tasks of this process; nothing outlives it. */
export class MemoryStore implements Store<MemoryEntry> {
  readonly streams: StreamStore = memoryStreams();
  readonly documents: Store["documents"];
  readonly #hub: Hub;
  readonly #tasks = new TaskTable<MemoryEntry>();
  readonly #ready = new ReadyQueues();
  readonly #delayed = new Map<string, MemoryEntry>();
  /** The recorded steps of tasks that are not finished, by id and number. */
  readonly #steps = new Map<string, Map<number, string>>();
  /** What keys name. */
  readonly #keys = new Map<string, string>();
  readonly #limits = new MemoryLimits((id) => this.#tasks.get(id)?.record.holder !== undefined);
  readonly operating: OperatingStore<MemoryEntry> = operatingOf(
    this.#tasks,
    (job) => this.#ready.heads(job),
    () => this.#due(),
  );
  #sweepAt = FIRST_SWEEP;

  constructor(hub: Hub) {
    this.#hub = hub;
    this.documents = documentsIn((name) => hub.document(name));
  }

  now(): number {
    return Date.now();
  }

  // deno-lint-ignore require-await
  async create(record: TaskRecord, input: string, condition?: KeyCondition): Promise<boolean> {
    const { id, owner } = record.info;
    if (this.#tasks.get(id)) return false;
    if (condition) {
      const named = this.#keys.get(keyOf(owner, condition.name))?.slice(0, ID_LENGTH);
      if (named !== (condition.names === "task" ? id : undefined)) return false;
    }
    if (this.#tasks.size >= this.#sweepAt) this.#sweep();
    this.#put({ record, input });
    return true;
  }

  readKey(owner: string, key: string): Promise<string | undefined> {
    return Promise.resolve(this.#keys.get(keyOf(owner, key)));
  }

  writeKey(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const name = keyOf(owner, key);
    if (this.#keys.get(name) !== from) return Promise.resolve(false);
    if (to === undefined) this.#keys.delete(name);
    else this.#keys.set(name, to);
    return Promise.resolve(true);
  }

  read(id: string, owner: string): Promise<MemoryEntry | undefined> {
    const entry = this.#tasks.get(id);
    return Promise.resolve(entry?.record.info.owner === owner ? entry : undefined);
  }

  change(
    before: MemoryEntry,
    record: TaskRecord,
    outcome?: Outcome,
    lines?: readonly LogLine[],
  ): Promise<MemoryEntry | undefined> {
    if (this.#tasks.get(record.info.id) !== before) return Promise.resolve(undefined);
    const { input, log = [] } = before;
    const entry: MemoryEntry = {
      record,
      input,
      outcome: outcome && JSON.stringify(outcome),
      log: lines ? newestLines([...log, ...lines]) : before.log,
    };
    this.#ready.delete(before.record);
    this.#delayed.delete(record.info.id);
    if (isFinished(record.info)) this.#steps.delete(record.info.id);
    this.#put(entry);
    return Promise.resolve(entry);
  }

  log({ log = [] }: MemoryEntry): Promise<readonly LogLine[]> {
    return Promise.resolve(log);
  }

  steps({ record: { info: { id } } }: MemoryEntry): Promise<readonly RecordedStep[]> {
    const steps = [...this.#steps.get(id) ?? []].map(([index, text]) => ({ index, text }));
    return Promise.resolve(steps.sort((a, b) => a.index - b.index));
  }

  record(entry: MemoryEntry, { index, text }: RecordedStep): Promise<boolean> {
    const { id } = entry.record.info;
    if (this.#tasks.get(id) !== entry) return Promise.resolve(false);
    this.#steps.set(id, (this.#steps.get(id) ?? new Map()).set(index, text));
    return Promise.resolve(true);
  }

  forget({ record: { info: { id } } }: MemoryEntry, from: number): Promise<void> {
    const steps = this.#steps.get(id);
    for (const index of steps?.keys() ?? []) if (index >= from) steps?.delete(index);
    return Promise.resolve();
  }

  input({ input }: MemoryEntry): Promise<Json> {
    return Promise.resolve(JSON.parse(input));
  }

  outcome({ outcome }: MemoryEntry): Promise<Outcome | undefined> {
    return Promise.resolve(outcome && JSON.parse(outcome));
  }

  list(owner: string, before: string | undefined, limit: number): Promise<readonly TaskInfo[]> {
    const tasks = this.#tasks.newest(before).map(({ record }) => record.info).filter((task) => task.owner === owner);
    return Promise.resolve(tasks.take(limit).toArray());
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  withWorker(): Promise<readonly string[]> {
    return Promise.resolve([]); // There are no other processes.
  }

  claim(before: MemoryEntry, record: TaskRecord, limits: JobLimits): Promise<MemoryEntry | undefined> {
    const { id, job } = record.info;
    if (this.#tasks.get(id) !== before || this.#limits.capacity(job, limits, this.now()).free === 0) {
      return Promise.resolve(undefined);
    }
    const claimed = this.change(before, record);
    this.#limits.add(job, id, limits, this.now());
    return claimed;
  }

  queue(): Queue<MemoryEntry> {
    return {
      promote: () => this.#promote(),
      ready: (max, _held, jobs) => Promise.resolve(this.#find(jobs, max)),
      limited: (max, _held, job, limits) => {
        const { free, pause } = this.#limits.capacity(job, limits, this.now());
        if (free === 0) return Promise.resolve({ entries: [], more: false, full: true, pause });
        const found = this.#find([job], Math.min(max, free));
        return Promise.resolve({ ...found, ...moreOf(found.more, max, free, limits) });
      },
    };
  }

  async #promote(): Promise<number | undefined> {
    const now = this.now();
    let next: number | undefined;
    for (const entry of [...this.#delayed.values()]) {
      const record = credibleDue(entry.record, now);
      if (record !== entry.record) await this.change(entry, record);
      const due = dueAtOf(record);
      if (due === undefined || due > now) next = Math.min(next ?? Infinity, due ?? Infinity);
      else if (this.#delayed.delete(record.info.id)) this.#ready.add(record);
    }
    return next;
  }

  /** The tasks that are due, but that no worker has made ready. */
  #due(): readonly TaskInfo[] {
    const due = this.#delayed.values().filter(({ record }) => (dueAtOf(record) ?? Infinity) <= this.now());
    return due.map(({ record }) => record.info).toArray();
  }

  #find(jobs: readonly string[], max: number): ReadyTasks<MemoryEntry> {
    const ids = this.#ready.first(jobs, max);
    return { entries: ids.flatMap((id) => this.#tasks.get(id) ?? []), more: ids.length === max };
  }

  /** Stores an entry, queues it where it belongs, and reports the change. */
  #put(entry: MemoryEntry): void {
    const { record } = entry;
    const { info } = record;
    this.#tasks.set(entry);
    if (dueAtOf(record) !== undefined) this.#delayed.set(info.id, entry);
    else if (info.status === "PENDING") this.#ready.add(record);
    // Asynchronously, so that all listeners are told in order, even if one of them changes another task.
    queueMicrotask(() => this.#hub.written([info]));
  }

  /** Deletes tasks that expired long ago, and the keys of tasks that are not there. */
  #sweep(): void {
    const isGone = ({ record: { info } }: MemoryEntry) => (expiresAt(info) ?? Infinity) + TOMBSTONE_MS < this.now();
    this.#tasks.deleteAll(new Set(this.#tasks.newest().filter(isGone).map(({ record }) => record.info.id)));
    for (const [key, named] of this.#keys) {
      const id = named.slice(0, ID_LENGTH);
      // A younger one may name a task that is just about to be stored.
      const isOld = isTaskId(id) && aheadOf({ id, createdAt: this.now() - TOMBSTONE_MS }) === 0;
      if (isOld && !this.#tasks.get(id)) this.#keys.delete(key);
    }
    this.#sweepAt = Math.max(FIRST_SWEEP, 2 * this.#tasks.size);
  }
}

function keyOf(owner: string, key: string): string {
  return JSON.stringify([owner, key]);
}
