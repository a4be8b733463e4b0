/**
 * Adds lines to the log of a task.
 *
 * @module
 */
import type { NewLines } from "../../../task_log/newest_lines.ts";
import type { Ended, TaskRecord } from "./task_record.ts";

/** The running job has logged lines: numbers them, and counts them in the record, which is stored with them. */
export function logged(record: TaskRecord, { skipped, lines }: NewLines): Ended {
  if (lines.length === 0) return { record };
  const before = (record.info.logged ?? 0) + skipped;
  return {
    record: { ...record, info: { ...record.info, logged: before + lines.length } },
    lines: lines.map((line, index) => ({ number: before + index + 1, ...line })),
  };
}
