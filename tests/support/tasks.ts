import type { NewTask } from "../../backend.ts";
import { newTaskId } from "../../src/ids.ts";

/** A new task that has one attempt, of the job `job` and the owner `ann`, unless `own` says otherwise. */
export function newTask(own: Partial<NewTask> = {}): NewTask {
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  return { id: newTaskId(), job: "job", owner: "ann", input: {}, resultTtl: 60_000, retry, ...own };
}
