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
  /** How it has ended, or that it has not, if the range knows. */
  readonly end?: TerminalStatus | "none";
  /** The task itself, if it is in the range. */
  readonly task?: TaskInfo;
}

/** Tasks, the newest id first. */
export type Range = (batchSize: number) => AsyncIterable<Found>;

/** Which ids are read. */
type Between = Pick<TaskQuery, "before" | "from">;

/** All tasks of a job. */
export const ofJob = (kv: Deno.Kv, job: string, between: Between): Range =>
  range<Indexed>(kv, indexKey(job), between, (id, { owner, status }) => ({ id, owner, end: status ?? "none" }));

/** The notable tasks of a job that have a status. */
export const notable = (kv: Deno.Kv, job: string, status: string, between: Between): Range =>
  range<Indexed>(kv, notableKey(job, status), between, (id, { owner }) => ({ id, owner }));

/** The tasks that wait in a job's queue with an urgency. */
export const ready = (kv: Deno.Kv, job: string, urgency: number, between: Between): Range =>
  range(kv, [...readyKey(job), urgency], between, wholeTask);

/** All tasks of an owner. */
export const ofOwner = (kv: Deno.Kv, owner: string, between: Between): Range =>
  range(kv, taskKey(owner), between, wholeTask);

/** These tasks. */
export function listed(tasks: readonly Found[], { before, from = "" }: Between): Range {
  const within = tasks.filter(({ id }) => id >= from && (before === undefined || id < before));
  const sorted = within.sort((a, b) => a.id < b.id ? 1 : -1);
  return async function* () {
    yield* sorted;
  };
}

/** Several ranges as one, in which no task is twice. */
export async function* merged(ranges: readonly Range[], batchSize: number): AsyncGenerator<Found> {
  const heads = await Promise.all(ranges.map(async (range) => {
    const rest = range(batchSize)[Symbol.asyncIterator]();
    return { rest, found: await nextOf(rest) };
  }));
  let last: string | undefined;
  while (true) {
    const [first, ...others] = heads;
    const newest = others.reduce(
      (newest, head) => (head.found?.id ?? "") > (newest?.found?.id ?? "") ? head : newest,
      first,
    );
    if (newest?.found === undefined) return;
    if (newest.found.id !== last) yield newest.found;
    last = newest.found.id;
    newest.found = await nextOf(newest.rest);
  }
}

async function nextOf(rest: AsyncIterator<Found>): Promise<Found | undefined> {
  const next = await rest.next();
  return next.done ? undefined : next.value;
}

function range<T>(
  kv: Deno.Kv,
  prefix: Deno.KvKey,
  { before = "~", from = "" }: Between,
  foundOf: (id: string, value: T) => Found,
): Range {
  return async function* (batchSize) {
    const between = { start: [...prefix, from], end: [...prefix, before] };
    for await (const { key, value } of kv.list<T>(between, { reverse: true, batchSize })) {
      yield foundOf(String(key.at(-1)), value);
    }
  };
}

function wholeTask(id: string, { record: { info } }: StoredTask): Found {
  return { id, owner: info.owner, task: info };
}
