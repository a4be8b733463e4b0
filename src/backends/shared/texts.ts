/**
 * What is told about the life of a task, whichever store keeps it.
 *
 * @module
 */
import type { CancelledTask } from "../../task.ts";
import { cutMessage } from "../../text.ts";

/** What a cancelled task says, by what is known about its code. */
export const CANCELLED: { readonly [work in CancelledTask["work"]]: string } = {
  never_started: "The task was cancelled before it ran.",
  stopped: "The task was cancelled; its work has stopped.",
  stop_requested: "The task was cancelled; stop requested, not confirmed by its worker.",
};

/** What a task says that was asked to stop, and whose worker died before it had answered. */
export const CANCELLED_WITH_WORKER = "The task was cancelled; its worker has died.";

/** What a task says that runs and was asked to stop. */
export const STOP_REQUESTED = "Asked to stop; waits for the worker's answer.";

/** What a task says that waits for its next attempt. `reason` is absent where the attempt left none. */
export function attemptFailed(attempt: number, attempts: number, reason: string | undefined): string {
  const failed = `Attempt ${attempt} of ${attempts} failed`;
  return reason === undefined ? `${failed} and gave no reason.` : cutMessage(`${failed}: ${reason}`);
}

/** What a task says that a worker handed back, for the so-many-th time. */
export function handedBackText(count: number, most: number): string {
  return `Handed back by a worker that shut down (${count} of at most ${most} times); waits for the next one.`;
}

/** Why a task failed that was handed back once too often. */
export function handedBackTooOften(count: number): string {
  return `The workers that ran this task shut down ${count} times before it ended, so it is not tried again. ` +
    "Give workers a longer `grace`, or run the job in a worker that lives longer than the job takes.";
}

/** What a task says that waits for a time without a worker. */
export function sleepsUntil(dueAt: number): string {
  return `Sleeping until ${new Date(dueAt).toISOString()}.`;
}

/** What a task says that waits because its worker is gone: it died, or was silent for longer than its lease. */
export function workerDied(count: number): string {
  return `The worker died while it ran this task, or lost it (${times(count)} so far); waits for the next one.`;
}

/** Why a task failed whose workers died too often. */
export function workerDiedTooOften(count: number): string {
  return `The worker died ${times(count)} while it ran this task, or lost it, so it is not tried again.`;
}

function times(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}
