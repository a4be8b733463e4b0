/**
 * The indexes by which an operator finds tasks of all owners. Each key costs more than the rest of its task's bookkeeping. So
 * a task that just runs and completes has one key, which never moves: its job and id. Waiting and running tasks are found in
 * the queues and in the lists of workers. Tasks with a rare status, or that may wait for long, have a second key.
 *
 * @module
 */
import { aheadOf } from "../../../ids.ts";
import { isFinished, type TaskInfo, type TerminalStatus } from "../../../task.ts";
import type { Write } from "../committer.ts";
import { aheadKey, indexKey, notableKey } from "../keys.ts";
import { expiryOf } from "./retention.ts";

/** What the index of jobs holds of a task. */
export interface Indexed {
  readonly owner: string;
  /** Its final status; absent until it has one. */
  readonly status?: TerminalStatus;
}

export function indexing(
  info: TaskInfo,
  before: TaskInfo | undefined,
): Required<Pick<Write, "sets" | "deletes" | "bytes">> {
  const { id, job, owner } = info;
  const expireIn = expiryOf(info);
  const sets: { key: Deno.KvKey; value: Indexed; expireIn?: number }[] = [];
  if (isFinished(info)) sets.push({ key: indexKey(job, id), value: { owner, status: info.status }, expireIn });
  else if (before === undefined) sets.push({ key: indexKey(job, id), value: { owner } });
  const [place, was] = [notablePlace(info), before && notablePlace(before)];
  const moves = place?.join() !== was?.join();
  if (place && moves) sets.push({ key: place, value: { owner }, expireIn });
  return { sets, deletes: was && moves ? [was] : [], bytes: sets.length * (100 + 2 * owner.length) };
}

/** What is written for a new task whose id is ahead of its creation, which is rare: pages by time must find it, too. */
export function raising(info: TaskInfo): Required<Pick<Write, "raises">> {
  const to = aheadOf(info);
  return { raises: to > 0 ? [{ key: aheadKey(), to }] : [] };
}

export function indexKeys(info: TaskInfo): Deno.KvKey[] {
  const place = notablePlace(info);
  return [indexKey(info.job, info.id), ...place ? [place] : []];
}

/** The second key of a task, if it has one. */
function notablePlace(info: TaskInfo): Deno.KvKey | undefined {
  // Completed tasks are most tasks, so that the index of jobs has few others to skip. Those that run are in the lists of
  // their workers, and those that are ready in the queue of their job.
  const isFoundElsewhere = info.status === "COMPLETED" || info.status === "RUNNING" ||
    info.status === "PENDING" && info.dueAt === undefined;
  return isFoundElsewhere ? undefined : notableKey(info.job, info.status, info.id);
}
