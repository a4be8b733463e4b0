/**
 * What a change of a task's record means, in words.
 *
 * @module
 */
import { isFinished, openQuestions, type TaskInfo } from "../../task.ts";

/** What happened between two records of a task, of which the first may be unknown; its creation and its end are left out. */
export function happenings(before: TaskInfo | undefined, after: TaskInfo): readonly string[] {
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
  const said: string[] = [];
  if (after.stopRequested && !(isFinished(before) || before.stopRequested)) said.push("Was asked to stop");
  if (after.attempt > before.attempt) said.push(began(after));
  if (after.status === before.status) return said;
  if (after.status === "RETRYING") said.push(after.message ?? `Attempt ${after.attempt} failed`);
  if (after.parked) said.push("Waits without a worker");
  else if (after.status === "PENDING") said.push(`Back in the queue: ${after.message ?? "its worker is gone"}`);
  if (after.status === "RUNNING" && !isFinished(before) && before.parked) said.push(`Attempt ${after.attempt} goes on`);
  return said;
}

function began({ attempt }: TaskInfo): string {
  return `Attempt ${attempt} began`;
}
