import type { RunnerStore } from "../../../../src/backends/shared/running/runner_store.ts";
import type { LiveTask } from "../../../../src/task.ts";
import { RUNNING_TASK } from "../../../support/tasks.ts";

/** The task of the store. */
export const claimed: LiveTask = { ...RUNNING_TASK, job: "wait" };

/** What no case here needs of a store. */
export const UNUSED = {
  now: () => 0,
  steps: () => Promise.resolve([]),
  record: () => Promise.resolve(),
  forget: () => Promise.resolve(),
  park: () => Promise.resolve(),
};

/** A store with one task, `claimed`, that stores all it is given; `own` is what a case does itself. */
export function withOneTask(own: Partial<RunnerStore>): RunnerStore {
  let left = 1;
  return {
    ...UNUSED,
    claim: () =>
      Promise.resolve({ claims: left-- > 0 ? [{ task: claimed, input: {}, mayHaveSteps: false }] : [], more: false }),
    report: () => Promise.resolve(),
    ask: () => Promise.resolve([]),
    answer: () => Promise.resolve(undefined),
    settle: () => Promise.resolve(),
    handBack: () => Promise.resolve(),
    ...own,
  };
}
