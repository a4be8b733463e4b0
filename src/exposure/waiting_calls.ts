/**
 * How calls wait for their task, and what happens to the work when the caller no longer waits.
 *
 * @module
 */
import { BackendError, TaskFinished, TaskNotFound, Unavailable } from "../errors.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Caller } from "../tasks/callers/caller.ts";
import type { StartOptions } from "../tasks/starting/starting.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { tryAgain } from "../waiting.ts";
import { CallCancelled, type CallContext, CallerGone, CallTimedOut } from "./surface.ts";

/**
 * Waits up to `ms` for a task to end, or for a change after which `condition` is false, and resolves with its newest state. With
 * 0 ms it resolves at once. When the server shuts down, as `tasks.over` says, it resolves, too, or rejects if the tasks end with
 * the server. A task that still waits to start has a message that says why. Rejects with the reason of the call's signal once
 * that aborts.
 */
export function waitWhile(
  condition: (task: TaskInfo) => boolean,
  task: TaskInfo,
  ms: number,
  tasks: Tasks,
  { signal, onChange }: Pick<CallContext, "signal" | "onChange">,
): Promise<TaskInfo> {
  if (ms <= 0 || isFinished(task) || !condition(task)) return tasks.explain(task);
  return tasks.waitFrom(task, { ms, condition, signal, onChange }).then((now) => tasks.explain(now));
}

/**
 * Starts the task of a call with `begin`, and waits for it with `wait`. If the call's signal aborts first, the task is
 * cancelled, or goes on, as the registration says. A task that goes on is taken over by the next call with the same `input`, or
 * found by a call with its key; so is one whose server ends or whose store fails and, for a minute, one whose answer is lost.
 * A task that other calls wait for is not cancelled. The backend stays open until all of this is stored.
 */
export function waitForCall<T>(
  registered: RegisteredJob,
  tasks: Tasks,
  ctx: CallContext,
  begin: (caller: Caller) => Promise<TaskInfo>,
  wait: (task: TaskInfo, caller: Caller) => Promise<T>,
  input?: unknown,
): Promise<T> {
  const run = async () => {
    const { owner, signal, closedAt, isOnlyClient, session, onAnswer, onTask, lost } = ctx;
    const caller = tasks.caller(registered, owner, takesOver(ctx) ? input : undefined, { isOnlyClient, session });
    const begun = begin(caller);
    let left: Promise<void> | undefined;
    // At once, because the client may call again while this task is being stored, or its result read.
    const giveUp = () => {
      const { reason } = signal;
      if (isCallOver(reason) && !endsWork(registered, reason)) {
        left = caller.giveUp(begun, reason instanceof CallTimedOut);
      }
    };
    if (signal.aborted) giveUp();
    signal.addEventListener("abort", giveUp);
    try {
      const task = await begun;
      caller.wait(task, closedAt);
      onTask?.(task, lost ?? { task: task.id, identity: caller.identity });
      try {
        const answer = await wait(task, caller);
        caller.leave(true);
        if (lost?.identity) caller.replacedLost(task, lost.identity);
        onAnswer?.(whenLost(tasks, caller, begun));
        return answer;
      } catch (error) {
        if (signal.aborted && endsWork(registered, signal.reason)) await cancelWork(tasks, task, signal.reason, caller);
        // The server is shutting down.
        else if (!signal.aborted && error instanceof Unavailable) left = caller.abandon(begun);
        // The caller is told to try again later, and the store may be away for long.
        else if (!signal.aborted && error instanceof BackendError) void tasks.untilClosed(caller.abandon(begun));
        throw error;
      }
    } finally {
      signal.removeEventListener("abort", giveUp);
      await left;
      caller.leave(false); // Unless it was answered.
    }
  };
  return tasks.untilClosed(run());
}

/** The options with which a waiting call starts its task. */
export function startOptions(ctx: CallContext, caller?: Caller): StartOptions {
  const { client, idempotencyKey, trace } = ctx;
  return { ttl: client.ttl, adopt: takesOver(ctx), idempotencyKey, trace, caller };
}

/** Whether a call may take over the task of another one: one with its own key must not get a task of another key. */
function takesOver({ client, idempotencyKey }: CallContext): boolean {
  return client.tasks === "none" && idempotencyKey === undefined;
}

/** Whether the work of a plain call ends with the call, whose signal has aborted with `reason`. */
function endsWork({ cancel, cancelOnDisconnect }: RegisteredJob, reason: unknown): boolean {
  if (reason instanceof CallerGone) return cancelOnDisconnect ?? (cancel && reason.cancels);
  return cancel && reason instanceof CallCancelled;
}

/** Whether a signal has aborted because the caller no longer waits. */
function isCallOver(reason: unknown): boolean {
  return [CallerGone, CallTimedOut, CallCancelled].some((kind) => reason instanceof kind);
}

/** How long a task whose answer was lost in transit is left to the next call, in ms. */
const LOST_MS = 60_000;

/** What to do if the answer of a call is lost. It may be kept for a while, so it refers to nothing else of the call. */
function whenLost(tasks: Tasks, caller: Caller, begun: Promise<TaskInfo>): () => void {
  return () => void tasks.untilClosed(caller.abandon(begun, LOST_MS));
}

/** Cancels the task of a call that has ended. It retries, because no caller is left to do so. */
async function cancelWork(tasks: Tasks, { id, owner, job }: TaskInfo, reason: unknown, caller: Caller): Promise<void> {
  const why = reason instanceof CallerGone ? reason.message : undefined;
  // A task that has just ended needs no cancellation.
  const isOver = (error: unknown) => error instanceof TaskFinished || error instanceof TaskNotFound;
  const cancel = async () => {
    if (!await caller.leaveToOthers()) await tasks.cancel(id, owner, why);
  };
  const failed = (error: unknown) => {
    tasks.onError(error, { where: "cancel the task of a call that has ended", job, task: id });
  };
  await tryAgain(cancel, isOver, failed);
}
