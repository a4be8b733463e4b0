/**
 * What a change of a task's record means, in words.
 *
 * @module
 */
import { isFinished, openQuestions, type TaskInfo } from "../../task.ts";

/** What happened between two records of a task, of which the first may be unknown; its creation and its end are left out. */
export function describeChange(before: TaskInfo | undefined, after: TaskInfo): readonly string[] {
  if (before === undefined) return [];
  return [...questionsBetween(before, after), ...runsBetween(before, after)];
}

function questionsBetween(before: TaskInfo, after: TaskInfo): readonly string[] {
  const [earlier, later] = [openQuestions(before), openQuestions(after)];
  const asked = later.filter(({ key }) => !earlier.some((question) => question.key === key));
  const closed = earlier.filter(({ key }) => !later.some((question) => question.key === key));
  return [
    ...closed.map(({ message }) => `Answered or expired: ${message}`),
    ...asked.map(({ message }) => `Asked: ${message}`),
  ];
}

function runsBetween(before: TaskInfo, after: TaskInfo): readonly string[] {
  if (isFinished(after)) return after.attempt > before.attempt ? [began(after)] : [];
  const texts: string[] = [];
  if (after.stopRequested && !(isFinished(before) || before.stopRequested)) texts.push("Was asked to stop");
  if (after.attempt > before.attempt) texts.push(began(after));
  if (after.status === before.status) return texts;
  if (after.status === "RETRYING") texts.push(after.message ?? `Attempt ${after.attempt} failed`);
  if (after.parked) texts.push("Waits without a worker");
  else if (after.status === "PENDING") texts.push(`Back in the queue: ${after.message ?? "its worker is gone"}`);
  if (after.status === "RUNNING" && !isFinished(before) && before.parked) {
    texts.push(`Attempt ${after.attempt} goes on`);
  }
  return texts;
}

function began({ attempt }: TaskInfo): string {
  return `Attempt ${attempt} began`;
}
