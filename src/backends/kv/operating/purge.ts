/**
 * Deletes finished tasks before their time, a page at a time, so that others can write in between.
 *
 * @module
 */
import { CLOCKS_DIFFER_MS, timeOfTaskId } from "../../../ids.ts";
import type { Purged, PurgedPage } from "../../../operator/primitives.ts";
import { type FinishedTask, isFinished } from "../../../task.ts";
import type { Committer, Write } from "../committer.ts";
import { garbageKey, indexKey, logKey, notableKey } from "../keys.ts";
import { list } from "../reading.ts";
import type { KvEntry } from "../stored.ts";
import { blobOf, dropBlob } from "../values/blobs.ts";
import { countedJobs, uncounting } from "./counts.ts";
import { type Indexed, indexKeys } from "./indexes.ts";
import { retainedUntil } from "./retention.ts";

/** The most tasks that one page reads: as many checks as one commit takes. */
const PAGE = 100;

export interface Purging {
  readonly kv: Deno.Kv;
  readonly committer: Committer;
  readonly now: number;
  readonly read: (id: string, owner: string) => Promise<KvEntry | undefined>;
}

/** Deletes one page: some tasks of one job, the oldest first. The cursor names the job, and the last task seen. */
export async function purgePage(
  { kv, committer, now, read }: Purging,
  { status, before }: Purged,
  cursor: string | undefined,
): Promise<PurgedPage> {
  const [from, after]: [string, string] = cursor === undefined ? ["", ""] : JSON.parse(cursor);
  const [job, next] = (await countedJobs(kv)).filter((job) => job >= from).sort();
  if (job === undefined) return { deleted: 0 };
  const prefix = status === "COMPLETED" ? indexKey(job) : notableKey(job, status);
  const start = job === from && after !== "" ? `${after}~` : "";
  const range = { start: [...prefix, start], end: [...prefix, "~"] };
  const page = await list<Indexed>(kv, range, { limit: PAGE });
  const ids = page.map(({ key }) => String(key.at(-1)));
  const deleted = await Promise.all(page.map(async ({ value }, index) => {
    if (value.status !== undefined && value.status !== status) return false;
    const entry = await read(ids[index] ?? "", value.owner);
    const info = entry?.record.info;
    if (!entry || !info || !isFinished(info) || info.status !== status || info.finishedAt >= before) return false;
    const log = info.logged === undefined ? [] : await list(kv, { prefix: logKey(info.id) });
    return await committer.commit(deletion(entry, info, log.map(({ key }) => key), now)) !== null;
  }));
  const last = ids.at(-1);
  const isOld = last !== undefined && timeOfTaskId(last) < before + CLOCKS_DIFFER_MS;
  const goesOn = isOld && page.length === PAGE ? [job, last] : next !== undefined && [next, ""];
  return { deleted: deleted.filter(Boolean).length, ...(goesOn && { next: JSON.stringify(goesOn) }) };
}

/** Deletes all that is stored about a finished task, unless it is gone already. */
function deletion(
  { check, input, outcome }: KvEntry,
  info: FinishedTask,
  log: readonly Deno.KvKey[],
  now: number,
): Write {
  const blobs = [input, outcome].flatMap((text) => blobOf(text) ?? []);
  const sets = blobs.flatMap((blob) => dropBlob(blob, now));
  return {
    checks: [check],
    sets,
    deletes: [check.key, ...indexKeys(info), ...log, ...blobs.map(({ id }) => garbageKey(retainedUntil(info), id))],
    counts: uncounting(info),
    bytes: 100 * sets.length,
  };
}
