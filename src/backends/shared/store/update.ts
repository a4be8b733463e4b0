/**
 * Changes a task that others may change at the same time: read, decide, write, and start again if somebody was faster.
 *
 * @module
 */
import { isFinished } from "../../../task.ts";
import { countEnded } from "../../../telemetry/metrics.ts";
import type { Ended, TaskRecord } from "../record.ts";
import type { Entry, Store } from "./store.ts";

/**
 * Writes what `decide` makes of a task. If that is the same record, nothing is written. Resolves with the task as it
 * was then, or with `undefined` if it is gone.
 */
export async function update(
  store: Pick<Store, "change" | "read">,
  entry: Entry | undefined,
  decide: (record: TaskRecord) => Ended,
): Promise<Entry | undefined> {
  let seen = entry;
  while (seen !== undefined) {
    const { record, outcome, lines } = decide(seen.record);
    if (record === seen.record) return seen;
    const changed = await store.change(seen, record, outcome, lines);
    if (changed) {
      if (isFinished(changed.record.info)) countEnded(changed.record.info);
      return changed;
    }
    const { id, owner } = record.info;
    seen = await store.read(id, owner);
  }
}
