/**
 * Parks a task: it waits without a worker.
 *
 * @module
 */
import { sleepsUntil } from "../texts.ts";
import { withoutOverdue } from "./questions.ts";
import { live, next, type TaskRecord } from "./task_record.ts";

/** What a task waits for without a worker. */
export interface WaitsFor {
  /** The keys of the questions that its code waits for. Other open questions, of earlier runs, are dropped. */
  readonly keys: readonly string[];
  /** When it continues in any case, in ms since the epoch. */
  readonly until?: number;
}

/**
 * The task waits without a worker for its answers, at most until a question expires. If nothing is left to wait for, or all
 * answers have come meanwhile, it is ready at once.
 */
export function waiting(record: TaskRecord, { keys, until }: WaitsFor, now: number): TaskRecord {
  const left = withoutOverdue(record, now);
  const { dueAt: _, questions: all = [], ...info } = live(left);
  const questions = all.filter(({ key }) => keys.includes(key));
  const open = questions.length > 0 && { questions };
  const free: TaskRecord = { ...left, holder: undefined, resumes: true };
  const waits = (until ?? Infinity) > now && (open || until !== undefined && keys.length === 0);
  if (!waits) {
    return { ...free, info: next({ ...info, ...open }, now, { status: "PENDING" }) };
  }
  const dueAt = Math.min(until ?? Infinity, ...questions.map(({ expiresAt = Infinity }) => expiresAt));
  const due = dueAt < Infinity && { dueAt };
  if (open) {
    return { ...free, info: next({ ...info, ...open, parked: true, ...due }, now, { status: "INPUT_REQUIRED" }) };
  }
  const message = sleepsUntil(dueAt);
  return { ...free, info: next({ ...info, parked: true, ...due }, now, { status: "PENDING", message }) };
}
