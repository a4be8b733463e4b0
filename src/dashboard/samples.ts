/**
 * How the system did in the last hour, sampled while the page is served and kept in memory.
 *
 * @module
 */
import type { TaskEvent } from "../backend.ts";
import type { JobCounts } from "../contract/operator.ts";
import { isFinished, type TerminalStatus } from "../task.ts";
import type { Sample } from "./wire.ts";

/** How often a sample is taken, in ms. */
export const SPAN_MS = 10_000;

/** How many samples are kept: an hour. */
const MAX_SAMPLES = 360;

type Ended = { readonly [status in TerminalStatus]: number };

const NONE: Ended = { COMPLETED: 0, FAILED: 0, CANCELLED: 0 };

/** Keeps the samples of the last hour. */
export class Samples {
  /** When the first one began, in ms since the epoch. */
  readonly since: number;
  readonly #samples: Sample[] = [];
  #ended: Ended = NONE;
  /** How many tasks were not finished at the last sample. */
  #alive: number | undefined;

  constructor(now: number) {
    this.since = now;
  }

  /** Those of the last hour, oldest first. */
  get all(): readonly Sample[] {
    return this.#samples;
  }

  /** Counts a task that has just ended. */
  observe(event: TaskEvent): void {
    if (event.kind !== "change" || !isFinished(event.task)) return;
    const { status } = event.task;
    this.#ended = { ...this.#ended, [status]: this.#ended[status] + 1 };
  }

  /** Ends a sample. Unfinished tasks become fewer only by ending, so the rest of the change is tasks that were created. */
  sample(jobs: readonly JobCounts[], now: number): void {
    const ended = this.#ended;
    this.#ended = NONE;
    const waiting = waitingOf(jobs);
    const running = sum(jobs, ({ counts }) => counts.RUNNING);
    const alive = sum(jobs, ({ counts }) => counts.PENDING + counts.RUNNING + counts.RETRYING + counts.INPUT_REQUIRED);
    const created = alive - (this.#alive ?? alive) + ended.COMPLETED + ended.FAILED + ended.CANCELLED;
    this.#alive = alive;
    this.#samples.push({
      at: now,
      ms: now - (this.#samples.at(-1)?.at ?? this.since),
      waiting,
      running,
      // Never negative, although counts and events are not of exactly the same moment.
      created: Math.max(0, created),
      completed: ended.COMPLETED,
      failed: ended.FAILED,
    });
    if (this.#samples.length > MAX_SAMPLES) this.#samples.shift();
  }
}

/** How many tasks of these jobs are stored, and no worker has begun them or will soon. */
function waitingOf(jobs: readonly JobCounts[]): number {
  return sum(jobs, ({ counts }) => counts.PENDING + counts.RETRYING);
}

function sum(jobs: readonly JobCounts[], count: (job: JobCounts) => number): number {
  return jobs.reduce((total, job) => total + count(job), 0);
}
