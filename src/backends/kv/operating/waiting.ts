/**
 * The heads of a job's queue: it holds its tasks by urgency, and those of one urgency by age.
 *
 * @module
 */
import type { TaskInfo } from "../../../task.ts";
import { readyKey } from "../keys.ts";
import { reading } from "../reading.ts";
import type { StoredTask } from "../stored.ts";

/** The most urgencies that are read. */
const MAX_HEADS = 100;

/** Sorts after every id. */
const LAST = "~";

/** The first task of an urgency. */
interface Head {
  readonly urgency: number;
  readonly task: TaskInfo;
}

/** Finds the first task of each urgency by skipping from one to the next; the most urgent ones if there are too many. */
export async function headsOf(
  kv: Deno.Kv,
  job: string,
): Promise<{ readonly heads: readonly Head[]; readonly all: boolean }> {
  const heads: Head[] = [];
  const prefix = readyKey(job);
  let start: Deno.KvKey = [...prefix, -Infinity];
  while (heads.length < MAX_HEADS) {
    const first = await reading(() => kv.list<StoredTask>({ prefix, start }, { limit: 1 }).next());
    if (first.done) return { heads, all: true };
    const { key, value } = first.value;
    const urgency = Number(key[3]);
    heads.push({ urgency, task: value.record.info });
    start = readyKey(job, urgency, LAST);
  }
  return { heads, all: false };
}
