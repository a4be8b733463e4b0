/**
 * The status messages of tasks, the same for every store.
 *
 * @module
 */
import type { CancelledTask } from "../../task.ts";
import { cutMessage } from "../../text.ts";

/** The message of a cancelled task, by what is known about its code. */
export const CANCELLED: { readonly [work in CancelledTask["work"]]: string } = {
  never_started: "The task was cancelled before it ran.",
  stopped: "The task was cancelled; its work has stopped.",
  stop_requested: "The task was cancelled; stop requested, not confirmed by its worker.",
};

/** The message of a task whose worker died after it was asked to stop. */
export const CANCELLED_WITH_WORKER = "The task was cancelled; its worker has died.";

/** The message of a running task that was asked to stop. */
export const STOP_REQUESTED = "Asked to stop; waits for the worker's answer.";

/** The message of a task that waits for its next attempt. `reason` is absent if the attempt left none. */
export function attemptFailed(attempt: number, attempts: number, reason: string | undefined): string {
  const failed = `Attempt ${attempt} of ${attempts} failed`;
  return reason === undefined ? `${failed} and gave no reason.` : cutMessage(`${failed}: ${reason}`);
}

/** The message of a task that a worker has handed back for the `count`th time. */
export function handedBackText(count: number, most: number): string {
  return `Handed back by a worker that shut down (${count} of at most ${most} times); waits for the next one.`;
}

export function handedBackTooOften(count: number): string {
  return `The workers that ran this task shut down ${count} times before it ended or recorded a further step, so it is not ` +
    "tried again. Give workers a longer `grace`, run the job in a worker that lives longer, or divide its work into " +
    "shorter steps.";
}

/** The message of a task that sleeps without a worker. */
export function sleepsUntil(dueAt: number): string {
  return `Sleeping until ${new Date(dueAt).toISOString()}.`;
}

/** The message of a task whose worker died, or was silent for longer than its lease. */
export function workerDied(count: number): string {
  return `The worker died while it ran this task, or lost it (${times(count)} so far); waits for the next one.`;
}

/** What is reported when a worker takes over a task of another one, and where. */
export const WORKER_LOST = "The worker that ran this task died, or was silent for longer than its lease.";
export const TAKE_OVER = "take over a task of a dead worker";

/** The error of a task whose workers died too often. `step`: the last one that is recorded. */
export function workerDiedTooOften(count: number, step?: string): string {
  const place = step === undefined ? "" : `, each time after the step "${step}"`;
  return `The worker died ${times(count)} while it ran this task, or lost it${place}, so it is not tried again. ` +
    "Look for the reason in the worker's output and the log of its machine: too little memory, a crash, or code that " +
    "blocks the process for longer than the lease. The cause may be another task that ran beside this one.";
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
