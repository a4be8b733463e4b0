/**
 * Ranges of the KV file that list tasks, each the newest id first, and several of them as one.
 *
 * @module
 */
import type { TaskQuery } from "../../../operator/primitives.ts";
import type { TaskInfo, TerminalStatus } from "../../../task.ts";
import { indexKey, notableKey, readyKey, taskKey } from "../keys.ts";
import type { StoredTask } from "../stored.ts";
import type { Indexed } from "./indexes.ts";

/** A task, as a range knows it. */
export interface Found {
  readonly id: string;
  readonly owner: string;
  /** Its final status, or that it has none, if the range knows. */
  readonly end?: TerminalStatus | "none";
  /** The task itself, if it is in the range. */
  readonly task?: TaskInfo;
}

/** Reads tasks, the newest id first: about `limit` of those whose ids sort before one; absent: before none. */
export type Range = (limit: number, before?: string) => Promise<readonly Found[]>;

type Between = Pick<TaskQuery, "before" | "from">;

export const ofJob = (kv: Deno.Kv, job: string, between: Between): Range =>
  range<Indexed>(kv, indexKey(job), between, (id, { owner, status }) => ({ id, owner, end: status ?? "none" }));

/** The notable tasks of a job that have a status. */
export const notable = (kv: Deno.Kv, job: string, status: string, between: Between): Range =>
  range<Indexed>(kv, notableKey(job, status), between, (id, { owner }) => ({ id, owner }));

/** The tasks that wait in a job's queue with an urgency. */
export const ready = (kv: Deno.Kv, job: string, urgency: number, between: Between): Range =>
  range(kv, [...readyKey(job), urgency], between, wholeTask);

export const ofOwner = (kv: Deno.Kv, owner: string, between: Between): Range =>
  range(kv, taskKey(owner), between, wholeTask);

export function listed(tasks: readonly Found[], { before: end, from = "" }: Between): Range {
  const within = tasks.filter(({ id }) => id >= from && (end === undefined || id < end));
  const sorted = within.sort((a, b) => a.id < b.id ? 1 : -1);
  return (limit, before) =>
    Promise.resolve(sorted.filter(({ id }) => before === undefined || id < before).slice(0, limit));
}

/** The most tasks of one range that are read at once. */
const LARGEST_READ = 500;

/**
 * Merges ranges into one without duplicates, a batch of tasks at a time. `first` is how many tasks of each range are read
 * first; each further read doubles that, so that reading far takes few reads.
 */
export async function* merged(ranges: readonly Range[], first: number): AsyncGenerator<readonly Found[]> {
  let readers = ranges.map((range) => new Reader(range, first));
  let last: string | undefined;
  while (true) {
    await Promise.all(readers.map((reader) => reader.fill()));
    readers = readers.filter(({ head }) => head !== undefined);
    if (readers.length === 0) return;
    const run: Found[] = [];
    for (let next = newest(readers); next?.head; next = newest(readers)) {
      if (next.head.id !== last) run.push(next.head);
      last = next.head.id;
      next.advance();
      if (next.head === undefined) break; // The range must be read further to know what comes next.
    }
    yield run;
  }
}

function newest(readers: readonly Reader[]): Reader | undefined {
  const [first, ...others] = readers;
  return others.reduce((newest, reader) => (reader.head?.id ?? "") > (newest?.head?.id ?? "") ? reader : newest, first);
}

/** Reads a range from its beginning to its end. */
class Reader {
  readonly #range: Range;
  #limit: number;
  #read: readonly Found[] = [];
  #next = 0;
  #ended = false;

  constructor(range: Range, limit: number) {
    this.#range = range;
    this.#limit = limit;
  }

  /** The next task; absent: more of them must be read, or there are none. */
  get head(): Found | undefined {
    return this.#read[this.#next];
  }

  advance(): void {
    this.#next++;
  }

  /** Reads more if none is left. */
  async fill(): Promise<void> {
    if (this.#ended || this.head) return;
    this.#read = await this.#range(this.#limit, this.#read.at(-1)?.id);
    this.#next = 0;
    this.#ended = this.#read.length < this.#limit;
    this.#limit = Math.min(2 * this.#limit, LARGEST_READ);
  }
}

function range<T>(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  { before: end = "~", from = "" }: Between,
  foundOf: (id: string, value: T) => Found,
): Range {
  return async (limit, before = end) => {
    const between = { start: [...prefix, from], end: [...prefix, before] };
    // KV reads a whole batch, whatever the limit is.
    const batchSize = Math.min(limit, LARGEST_READ);
    const entries = await Array.fromAsync(kv.list<T>(between, { reverse: true, limit, batchSize }));
    return entries.map(({ key, value }) => foundOf(String(key.at(-1)), value));
  };
}

function wholeTask(id: string, { record: { info } }: StoredTask): Found {
  return { id, owner: info.owner, task: info };
}
