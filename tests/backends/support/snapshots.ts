/**
 * Tasks as they stand on Redis.
 *
 * @module
 */
import type { NewTask } from "../../../src/backend.ts";
import type { Snapshot } from "../../../src/backends/bullmq/snapshot.ts";

/** A task that has just been stored. */
export function newSnapshot(task: NewTask, queue: string, createdAt: number): Snapshot {
  return {
    ...task,
    queue,
    createdAt,
    readAt: createdAt,
    attempts: task.retry.attempts,
    delayed: Boolean(task.delay),
    handBacks: 0,
    losses: {},
    parks: 0,
    ours: false,
    changes: 0,
    changedAt: 0,
    stopRequested: false,
    expired: false,
    state: task.delay ? "delayed" : "waiting",
    dueAt: task.delay ? createdAt + task.delay : undefined,
    started: 0,
    ended: 0,
    stalled: 0,
  };
}
