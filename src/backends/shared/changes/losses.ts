/**
 * Counts how often a task has lost its worker at one place. Once the task has recorded a further step, or received a further
 * answer, it would not repeat what it did before, so the count starts anew.
 *
 * @module
 */
import type { RecordedStep } from "../../../backend.ts";
import type { TaskRecord } from "./task_record.ts";

/** How often a task has lost its worker at one place. */
export type Losses = NonNullable<TaskRecord["losses"]>;

const NONE: Losses = { recorded: 0, crashes: 0, handBacks: 0 };

/** What a task has lost once its worker has died, or has handed it back. `steps`: those that it has recorded. */
export function lossesOf(
  { answers = {}, losses = NONE }: TaskRecord,
  steps: readonly RecordedStep[],
  kind: "crashes" | "handBacks",
): Losses {
  const recorded = steps.length + Object.keys(answers).length;
  const before = recorded > losses.recorded ? NONE : losses;
  return { ...before, recorded, [kind]: before[kind] + 1 };
}
