/**
 * The jobs of a queue that a worker holds.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { ProgressReport } from "../../../backend.ts";
import type { ClaimName } from "../../shared/running/runner_store.ts";
import type { Hold } from "../redis/records.ts";
import type { StepsPage } from "../redis/scripts/resuming/resumed.ts";

/** A job that a run holds. */
export interface HeldJob {
  readonly job: Job;
  readonly hold: Hold;
  /** The first steps of earlier runs; `undefined` where they were not read, and once this run has changed some. */
  recorded: StepsPage | undefined;
  /** What the run has reported last. */
  reported: ProgressReport;
  /** The write of the latest report. */
  reporting?: Promise<void>;
  /** Somebody has asked to cancel the task. */
  isCancelled: boolean;
  /** Its run is over, and its end is being stored. */
  isEnding: boolean;
}

/** The jobs that are held, by id: a job that comes back to a worker that has lost it is held by its later run. */
export class HeldJobs {
  readonly #jobs = new Map<string, HeldJob>();

  add(held: HeldJob): void {
    this.#jobs.set(held.hold.id, held);
  }

  get(id: string): HeldJob | undefined {
    return this.#jobs.get(id);
  }

  /** The job of a claim; `undefined` if that has ended or is lost. */
  of({ id, revision }: ClaimName): HeldJob | undefined {
    const held = this.#jobs.get(id);
    return held?.hold.run === revision ? held : undefined;
  }

  /** How many have a slot. */
  get running(): number {
    let running = 0;
    for (const { isEnding } of this.#jobs.values()) if (!isEnding) running++;
    return running;
  }

  remove(held: HeldJob): void {
    if (this.#jobs.get(held.hold.id) === held) this.#jobs.delete(held.hold.id);
  }

  get all(): readonly HeldJob[] {
    return [...this.#jobs.values()];
  }
}
