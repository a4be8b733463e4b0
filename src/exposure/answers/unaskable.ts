/**
 * How a client that cannot ask a person sees a task that waits for an answer. Otherwise it would see no progress, and no
 * reason.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { cut } from "../../text.ts";

/** How much of each question, and of all questions, the message includes, in UTF-16 units. */
const QUESTION = 300;
const QUESTIONS = 800;

/** Returns a task, with a message about its open questions, if it has any. */
export function toUnaskable(task: TaskInfo): TaskInfo {
  if (task.status !== "INPUT_REQUIRED" || task.stopRequested || !task.questions?.length) return task;
  const asked = task.questions.map(({ message }) => JSON.stringify(cut(message, QUESTION))).join(" and ");
  const advice = "This client cannot be asked: answer in another one, or cancel the task.";
  return { ...task, message: `Waits for the answer to ${cut(asked, QUESTIONS)}. ${advice}` };
}
