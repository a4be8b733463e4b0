/**
 * Records of one task, for tests of what may become of it.
 *
 * @module
 */
import type { NewTask } from "../../../../src/backend.ts";
import { cancelledOutcome, claimed, created, type TaskRecord } from "../../../../src/backends/shared/record.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";

export const NEW: NewTask = {
  id: "id-1",
  job: "report",
  owner: "me",
  input: {},
  resultTtl: 60_000,
  retry: { attempts: 3, delay: 1_000, maxDelay: 3_000 },
};

export function pending(change: Partial<NewTask> = {}): TaskRecord {
  return created({ ...NEW, ...change }, 1_000);
}

export function running(change: Partial<NewTask> = {}): TaskRecord {
  return claimed(pending(change), "worker-1", 2_000);
}

export const lost = { kind: "error", message: "no luck", retry: true } as const;

/** The fields of a record that a case is about. */
export function pick<K extends string>(info: TaskInfo, ...keys: readonly K[]): unknown[] {
  return keys.map((key) => Object.entries(info).find(([name]) => name === key)?.[1]);
}

export function dueAtOf({ info }: TaskRecord): number | undefined {
  return "dueAt" in info ? info.dueAt : undefined;
}

/** What is recorded of a task that is cancelled: whether its work has stopped, and what its caller is told. */
export function cancelledWith(record: TaskRecord): readonly [work: string, outcome: string] {
  assert(record.info.status === "CANCELLED");
  assertEquals([record.holder, dueAtOf(record)], [undefined, undefined]);
  const outcome = cancelledOutcome(record.info);
  assert(outcome.kind === "fault");
  return [record.info.work, outcome.message];
}
