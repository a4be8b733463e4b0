/**
 * Cancels the questions of a task whose waiting client cannot be asked: nobody else will answer, and the job must go on.
 *
 * @module
 */
import { TaskNotFound } from "../errors.ts";
import type { Question, TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { pause } from "../waiting.ts";

/** The pause before another try to store an answer, in ms. */
const PAUSE_MS = 1_000;

/**
 * Answers open questions of a task with `cancel`. A question is announced only once, so an answer that cannot be stored
 * is tried again until `ended` aborts. Never rejects.
 */
export async function cancelQuestions(
  tasks: Tasks,
  task: TaskInfo,
  questions: readonly Question[],
  ended: AbortSignal,
): Promise<void> {
  const keys = questions.map(({ key }) => key);
  while (keys.length > 0 && !ended.aborted) {
    try {
      // This does nothing for a task that has ended, or a question that is answered.
      await tasks.answerForNobody(task, keys);
      return;
    } catch (error) {
      if (error instanceof TaskNotFound) return;
      const { id, job } = task;
      tasks.onError(error, { where: "answer a question that nobody can be asked", job, task: id });
    }
    await pause(PAUSE_MS, ended);
  }
}
