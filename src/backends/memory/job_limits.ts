/**
 * Which tasks of jobs with limits have begun, in memory.
 *
 * @module
 */
import type { JobLimits } from "../../backend.ts";
import { capacityOf, EMPTY_WINDOW, type RateWindow, withClaim } from "../shared/job_limits.ts";

export class MemoryLimits {
  /** The tasks that may still be held. */
  readonly #claimed = new Map<string, ReadonlySet<string>>();
  readonly #begun = new Map<string, RateWindow>();
  readonly #isHeld: (id: string) => boolean;

  /** `isHeld`: whether a worker holds a task now. */
  constructor(isHeld: (id: string) => boolean) {
    this.#isHeld = isHeld;
  }

  /** How many more tasks of a job may begin. */
  capacity(job: string, limits: JobLimits, now: number): ReturnType<typeof capacityOf> {
    return capacityOf(limits, this.#held(job).length, this.#begun.get(job) ?? EMPTY_WINDOW, now);
  }

  /** A task was claimed. */
  add(job: string, id: string, limits: JobLimits, now: number): void {
    this.#claimed.set(job, new Set([...this.#held(job), id]));
    this.#begun.set(job, withClaim(limits, this.#begun.get(job) ?? EMPTY_WINDOW, now));
  }

  #held(job: string): readonly string[] {
    return [...this.#claimed.get(job) ?? []].filter(this.#isHeld);
  }
}
