/**
 * What becomes of a task by `record.ts`, as a store of ours would have it.
 *
 * @module
 */
import type { LogLine, NewTask, RecordedStep } from "../../../../../src/backend.ts";
import * as change from "../../../../../src/backends/shared/record.ts";
import { isFinished, type Outcome } from "../../../../../src/task.ts";
import { newestLines } from "../../../../../src/task_log/newest_lines.ts";
import type { Event } from "./events.ts";

/** Where a task stands. */
export interface Model {
  readonly record: change.TaskRecord;
  /** How it ended. */
  readonly outcome?: Outcome;
  /** The steps that its runs have recorded. */
  readonly steps: readonly RecordedStep[];
  /** The lines of its log that are kept. */
  readonly log: readonly LogLine[];
  /** Its time is over. */
  readonly expired: boolean;
}

const HOLDER = "worker";

/** A task that was just stored. */
export function stored(task: NewTask): Model {
  return { record: change.created(task, Date.now()), steps: [], log: [], expired: false };
}

/** Whether a worker holds the task. */
export function isHeld({ record }: Model): boolean {
  return record.holder !== undefined;
}

/** What an event makes of a task. What comes from a worker that does not hold it changes nothing. */
export function after(model: Model, event: Event): Model {
  const { record } = model;
  const now = Date.now();
  if (isFinished(record.info)) return event.kind === "expire" ? { ...model, expired: true } : model;
  switch (event.kind) {
    case "claim":
      return { ...model, record: change.claimed(record, HOLDER, now) };
    case "report": {
      const { record: after, lines = [] } = change.logged(change.reported(record, event.report, now), event.added);
      return { ...model, record: after, log: newestLines([...model.log, ...lines]) };
    }
    case "ask":
      return { ...model, record: change.asked(record, event.questions, now) };
    case "answer":
      return { ...model, record: change.answered(record, event.answers, now) };
    case "cancel": {
      const asks = isHeld(model) && event.work === "ask";
      return ended(model, { record: asks ? change.stopRequested(record, now) : change.cancelledNow(record, now) });
    }
    case "settle":
      return ended(model, change.settled(record, event.attempt, now, 1));
    case "hand back":
      return ended(model, change.handedBack(record, event.abandoned, model.steps, now));
    case "park":
      return ended(model, change.parked(record, event.awaited, now));
    case "record": {
      const others = model.steps.filter(({ index }) => index !== event.step.index);
      return { ...model, steps: [...others, event.step].sort((a, b) => a.index - b.index) };
    }
    case "die":
      return ended(model, change.crashed(record, model.steps, now));
    case "report late":
    case "ask late":
    case "record late":
    case "park late":
    case "end late":
    case "expire":
      return model;
  }
}

function ended(model: Model, { record, outcome }: change.Ended): Model {
  const { info } = record;
  return { ...model, record, outcome: info.status === "CANCELLED" ? change.cancelledOutcome(info) : outcome };
}

/** Whether the task is to stop, so that its run ends as stopped whatever it does. */
export function mustStop({ record: { info } }: Model): boolean {
  return isFinished(info) || info.stopRequested === true;
}
