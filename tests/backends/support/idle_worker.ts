/**
 * A worker that begins new tasks with their creation.
 *
 * @module
 */
import { type Backend, type NewTask, newTaskId } from "../../../backend.ts";
import type { TaskInfo } from "../../../mod.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { assert } from "../../../tools/std.ts";

export const OWNER = "ann";

/** Creates a task; `own` is what a case sets itself. */
export async function create(backend: Backend, job: string, own: Partial<NewTask> = {}): Promise<TaskInfo> {
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  return await backend.create({ id: newTaskId(), job, owner: OWNER, input: {}, resultTtl: 60_000, retry, ...own });
}

/**
 * Creates tasks until the worker of this process knows of no task that waits, and claims one with its creation. Resolves with
 * that task, as its creation has returned it, once it has ended.
 */
export async function untilIdle(backend: Backend, job: string, own: Partial<NewTask> = {}): Promise<TaskInfo> {
  using feed = new TaskFeed(backend);
  const first = new Map<string, TaskInfo["status"]>();
  const stop = backend.watch((event) => {
    if (event.kind === "change" && !first.has(event.task.id)) first.set(event.task.id, event.task.status);
  });
  for (let tries = 1; true; tries++) {
    assert(tries < 100, "No task was claimed with its creation.");
    const task = await create(backend, job, own);
    await feed.wait(task.id, OWNER, AbortSignal.timeout(60_000));
    if (first.get(task.id) !== "RUNNING") continue;
    stop();
    return task;
  }
}
