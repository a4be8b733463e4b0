/**
 * The heads of a job's queue: it holds its tasks by urgency, and those of one urgency by age.
 *
 * @module
 */
import { MAX_DUE } from "../../../operator/counts.ts";
import type { TaskInfo } from "../../../task.ts";
import { delayedKey, readyKey } from "../keys.ts";
import { list } from "../reading.ts";
import type { StoredTask } from "../stored.ts";

/** The most urgencies that are read. */
const MAX_HEADS = 100;

/** Sorts after every id. */
const LAST = "~";

/** The first tasks of an urgency. */
interface Head {
  readonly urgency: number;
  readonly tasks: readonly TaskInfo[];
}

/** Finds the first `max` tasks of each urgency by skipping from one to the next; the most urgent ones if there are too many. */
export async function headsOf(
  kv: Deno.Kv,
  job: string,
  max: number,
): Promise<{ readonly heads: readonly Head[]; readonly all: boolean }> {
  const heads: Head[] = [];
  const prefix = readyKey(job);
  let start: Deno.KvKey = [...prefix, -Infinity];
  while (heads.length < MAX_HEADS) {
    const first = await list<StoredTask>(kv, { prefix, start }, { limit: max });
    if (first[0] === undefined) return { heads, all: true };
    const urgency = Number(first[0].key[3]);
    const head = first.filter(({ key }) => key[3] === urgency);
    heads.push({ urgency, tasks: head.map(({ value }) => value.record.info) });
    start = readyKey(job, urgency, LAST);
  }
  return { heads, all: false };
}

/** The tasks that are due, but that no worker has made ready: those that have been due for longest if there are too many. */
export async function dueTasks(kv: Deno.Kv, now: number): Promise<readonly TaskInfo[]> {
  const due = { prefix: delayedKey(), end: delayedKey(now, LAST) };
  const found = await list<StoredTask>(kv, due, { limit: MAX_DUE });
  return found.map(({ value }) => value.record.info);
}
