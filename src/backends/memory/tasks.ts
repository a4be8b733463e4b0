/**
 * The tasks in memory, in the order of their ids, and how many of each job are in each state.
 *
 * @module
 */
import { aheadOf } from "../../ids.ts";
import { isParked, NO_TASKS } from "../../operator/counts.ts";
import type { TaskCounts } from "../../operator/primitives.ts";
import type { TaskInfo, TaskStatus } from "../../task.ts";
import type { Entry } from "../shared/store/store.ts";

/** The tasks of one job, counted. */
interface Tally {
  readonly counts: { [status in TaskStatus]: number };
  parked: number;
}

/** Entries by the ids of their tasks. */
export class TaskTable<E extends Entry> {
  readonly #entries = new Map<string, E>();
  /** The ids of all entries, sorted: by age, mostly in the order in which they come. */
  #ids: string[] = [];
  readonly #tallies = new Map<string, Tally>();
  #ahead = 0;

  /** The most that the time in a task's id is ahead of its creation, in ms: the clock may have been set back in between. */
  get ahead(): number {
    return this.#ahead;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(id: string): E | undefined {
    return this.#entries.get(id);
  }

  set(entry: E): void {
    const { info } = entry.record;
    const before = this.#entries.get(info.id);
    this.#entries.set(info.id, entry);
    if (before) this.#count(before.record.info, -1);
    else this.#ids.splice(this.#placeOf(info.id), 0, info.id);
    this.#count(info, 1);
    this.#ahead = Math.max(this.#ahead, aheadOf(info));
  }

  deleteAll(ids: ReadonlySet<string>): void {
    for (const id of ids) {
      const entry = this.#entries.get(id);
      if (entry) this.#count(entry.record.info, -1);
      this.#entries.delete(id);
    }
    this.#ids = this.#ids.filter((id) => !ids.has(id));
  }

  /** All tasks, or those whose ids sort before this one, the newest first. */
  *newest(before?: string): Generator<E> {
    for (let place = before === undefined ? this.#ids.length : this.#placeOf(before); place > 0; place--) {
      const entry = this.#entries.get(this.#ids[place - 1] ?? "");
      if (entry) yield entry;
    }
  }

  counted(): readonly TaskCounts[] {
    const all = [...this.#tallies].map(([job, { counts, parked }]) => ({ job, counts: { ...counts }, parked }));
    return all.filter(({ counts }) => Object.values(counts).some((count) => count > 0));
  }

  /** How many ids sort before this one. */
  #placeOf(id: string): number {
    let [low, high] = [0, this.#ids.length];
    // Most ids are newer than all others.
    if (high > 0 && (this.#ids[high - 1] ?? "") < id) return high;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ids[middle] ?? "") < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #count(info: TaskInfo, change: 1 | -1): void {
    const tally = this.#tallies.get(info.job) ?? { counts: { ...NO_TASKS }, parked: 0 };
    this.#tallies.set(info.job, tally);
    tally.counts[info.status] += change;
    if (isParked(info)) tally.parked += change;
  }
}
