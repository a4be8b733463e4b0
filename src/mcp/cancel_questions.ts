/**
 * Answers for a client that cannot be asked while it waits: nobody else will, and the job must go on.
 *
 * @module
 */
import { TaskNotFound } from "../errors.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { pause } from "../waiting.ts";
import { questionsToPut } from "./words.ts";

/** The pause before an answer that could not be stored is given again, in ms. */
const PAUSE_MS = 1_000;

/**
 * Answers what a task asks now with `cancel`. A question is told once only, so what cannot be stored is tried again until
 * `ended` aborts. Never rejects.
 */
export async function answerForNobody(tasks: Tasks, task: TaskInfo, ended: AbortSignal): Promise<void> {
  const keys = questionsToPut(task).map(({ key }) => key);
  while (!ended.aborted) {
    try {
      // A task that is over, and a question that is answered, take no answer and no harm.
      await tasks.answerForNobody(task, keys);
      return;
    } catch (error) {
      if (error instanceof TaskNotFound) return;
    }
    await pause(PAUSE_MS, ended);
  }
}
