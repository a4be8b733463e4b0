/**
 * How the run of a job ends: first what our record needs, then what BullMQ stores in the job.
 *
 * @module
 */
import type { Attempt } from "../../../backend.ts";
import { TaskCancelled } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import type { TerminalStatus } from "../../../task.ts";
import { countEnded } from "../../../telemetry/metrics.ts";
import { messageOf, quote } from "../../../text.ts";
import { isAbandoned, MAX_HAND_BACKS } from "../../shared/record.ts";
import { handedBackTooOften } from "../../shared/texts.ts";
import { capBackoff, foreignBackoffOf } from "../new_task.ts";
import type { RedisStore } from "../redis/store.ts";
import type { HeldJob } from "./held.ts";
import type { JobSource } from "./source.ts";

/** Stores how the runs of a job end. Each call may be repeated if it fails. For a run that has lost its job, it stores nothing. */
export class Ends {
  readonly #store: RedisStore;
  /** The name of the job, and of its queue. */
  readonly #name: string;
  readonly #source: Pick<JobSource, "end">;
  readonly #onError: OnError;

  constructor(store: RedisStore, name: string, source: Pick<JobSource, "end">, onError: OnError) {
    this.#store = store;
    this.#name = name;
    this.#source = source;
    this.#onError = onError;
  }

  /** The attempt has ended. */
  async settle(held: HeldJob, attempt: Attempt): Promise<void> {
    const { records } = this.#store;
    const { job, hold } = held;
    if (isAbandoned(attempt)) await records.markAbandoned(hold);
    if (held.isCancelled) return await this.cancel(held);
    if (attempt.kind === "value") {
      const result = await records.storeResult(hold, attempt);
      return await this.#end(held, "COMPLETED", (next) => job.moveToCompleted(result, hold.token, next));
    }
    if (attempt.kind === "fault") await records.markFault(hold, attempt.code);
    if (attempt.kind === "fault" || !attempt.retry) return await this.fail(held, attempt.message);
    const backoff = foreignBackoffOf(job);
    if (backoff !== undefined && job.attemptsMade + 1 < (job.opts.attempts ?? 1)) {
      const why = `not tried again, because this worker does not know the backoff ${quote(backoff)}`;
      return await this.fail(held, `${attempt.message} (${why})`);
    }
    // BullMQ's counts do not tell which of the two came last.
    if (job.stalledCounter > 0) await records.markFailed(hold);
    capBackoff(job);
    await this.#end(held, "FAILED", (next) => job.moveToFailed(new Error(attempt.message), hold.token, next));
  }

  /** The code has stopped, or was not called, because the task is cancelled. */
  async cancel(held: HeldJob): Promise<void> {
    await this.#store.records.markStopped(held.hold);
    await this.fail(held, new TaskCancelled().message, "CANCELLED");
  }

  /** The job fails, and is not tried again. */
  async fail(held: HeldJob, message: string, status: TerminalStatus = "FAILED"): Promise<void> {
    const error = new this.#store.bullmq.UnrecoverableError(message);
    await this.#end(held, status, (next) => held.job.moveToFailed(error, held.hold.token, next));
  }

  /** The worker stops, and gives the job back. */
  async handBack(held: HeldJob, abandoned: boolean): Promise<void> {
    const { records } = this.#store;
    const { job, hold } = held;
    if (abandoned) await records.markAbandoned(hold);
    if (held.isCancelled) return await this.cancel(held);
    const times = await records.markHandedBack(hold);
    if (times > MAX_HAND_BACKS) return await this.settle(held, { kind: "fault", message: handedBackTooOften(times) });
    await job.moveToWait(hold.token).catch((error) => this.#refused(held, error));
  }

  async #end(held: HeldJob, status: TerminalStatus, end: Parameters<JobSource["end"]>[1]): Promise<void> {
    const { job, hold } = held;
    const stacktrace = job.stacktrace?.slice() ?? null;
    try {
      await this.#source.end(hold.token, end);
    } catch (error) {
      job.stacktrace = stacktrace; // Each call has added to it.
      return await this.#refused(held, error);
    }
    const { timestamp: createdAt, finishedOn: finishedAt } = job;
    // A job that is to be tried again has no end.
    if (finishedAt !== undefined) countEnded({ job: this.#name, status, createdAt, finishedAt });
  }

  /** What BullMQ refuses for good is not tried again. */
  async #refused(held: HeldJob, error: unknown): Promise<void> {
    const { ErrorCode } = this.#store.bullmq;
    const code: unknown = error instanceof Error && "code" in error ? error.code : undefined;
    switch (code) {
      case ErrorCode.JobPendingChildren:
      case ErrorCode.JobHasFailedChildren:
        return await this.fail(held, messageOf(error));
      case ErrorCode.JobNotExist:
      case ErrorCode.JobLockNotExist:
      case ErrorCode.JobNotInState:
      case ErrorCode.JobLockMismatch:
        return this.#onError(error, { where: "store the end of a job", job: this.#name });
    }
    throw error;
  }
}
