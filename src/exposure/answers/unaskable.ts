/**
 * What a client hears of a task that asks something, where that client cannot be asked: else it would see it stand still
 * and not know why.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { cut } from "../../text.ts";

/** How much of each question, and of all of them, stands in the message, in UTF-16 units. */
const QUESTION = 300;
const QUESTIONS = 800;

/** The task, with a message that names what it asks, if it asks anything. */
export function toUnaskable(task: TaskInfo): TaskInfo {
  if (task.status !== "INPUT_REQUIRED" || task.stopRequested || !task.questions?.length) return task;
  const asked = task.questions.map(({ message }) => JSON.stringify(cut(message, QUESTION))).join(" and ");
  const advice = "This client cannot be asked: answer in another one, or cancel the task.";
  return { ...task, message: `Waits for the answer to ${cut(asked, QUESTIONS)}. ${advice}` };
}
