/**
 * The timeline of a task: its creation and end, from its record, and what was observed in between.
 *
 * @module
 */
import { type FinishedTask, isFinished, type TaskInfo } from "../../task.ts";
import type { StepInfo } from "../../contract/operator.ts";
import type { TimelineEntry } from "../wire.ts";
import type { History } from "./histories.ts";

/** The timeline, oldest first. */
export function timelineOf(task: TaskInfo, history: History | undefined): readonly TimelineEntry[] {
  const entries: TimelineEntry[] = [{
    at: task.createdAt,
    text: task.retryOf ? `Created, to repeat ${task.retryOf}` : "Created",
  }];
  const missed = history?.missed ?? task.attempt;
  if (missed > 0) {
    const earlier = history?.entries[0]?.at ?? task.updatedAt;
    entries.push({ at: earlier, text: `${attempts(missed)}, which this page's server has not observed` });
  }
  entries.push(...history?.entries ?? []);
  entries.push(...(history?.steps ?? []).map(stepEntry));
  entries.sort((a, b) => a.at - b.at);
  if (isFinished(task)) entries.push({ at: task.finishedAt, text: endOf(task) });
  return entries;
}

function stepEntry({ name, at }: StepInfo): TimelineEntry {
  return { at, text: `Step ${name.replaceAll("##", " › ")} is done` };
}

function attempts(count: number): string {
  return count === 1 ? "1 attempt" : `${count} attempts`;
}

function endOf(task: FinishedTask): string {
  switch (task.status) {
    case "COMPLETED":
      return "Completed";
    case "FAILED":
      return `Failed: ${task.message ?? "no reason given"}`;
    case "CANCELLED":
      return `Cancelled: ${WORK[task.work]}`;
  }
}

/** What is known about the code of a cancelled task. */
const WORK = {
  never_started: "its code never started",
  stopped: "its code has stopped",
  stop_requested: "its code was asked to stop, and has not confirmed",
} as const;
