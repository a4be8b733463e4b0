/**
 * Jobs that wait without a worker, and the steps that their runs have recorded: one hash for each job that has some.
 *
 * @module
 */
import type { RecordedStep } from "../../../backend.ts";
import type { WaitsFor } from "../../shared/record.ts";
import type { Hold } from "./records.ts";
import type { ParkReply } from "./scripts/parking.ts";
import { parseSteps, type StepsPage } from "./scripts/resuming/resumed.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** Nothing is read yet. */
const FROM_THE_FIRST: StepsPage = { steps: [], next: 0 };

/** Parks jobs, and keeps their steps. Each call names the queue, because a job need not be a task of ours. */
export class RedisParking {
  readonly #scripts: RedisScripts;

  constructor(scripts: RedisScripts) {
    this.#scripts = scripts;
  }

  /** Lets the job of a run wait without a worker, if the run holds it. */
  async park(queue: string, { id, token }: Hold, { keys, until }: WaitsFor): Promise<ParkReply> {
    return await this.#scripts.run("park", queue, id, token, until ?? "", ...keys);
  }

  /** Reads the steps of a job in the order of their numbers, after those that were read. */
  async steps(
    queue: string,
    id: string,
    { steps, next }: StepsPage = FROM_THE_FIRST,
  ): Promise<readonly RecordedStep[]> {
    if (next === undefined) return steps;
    const page = parseSteps(await this.#scripts.run("steps", queue, id, next));
    return await this.steps(queue, id, { ...page, steps: [...steps, ...page.steps] });
  }

  /** Stores a step of a run that holds its job. Resolves with whether it does. */
  async record(queue: string, { id, token }: Hold, { index, text }: RecordedStep): Promise<boolean> {
    return await this.#scripts.run<0 | 1>("record", queue, id, token, index, text) === 1;
  }

  /** Deletes the steps of a job from a number on, for a run that holds it. */
  async forget(queue: string, { id, token }: Hold, from: number): Promise<void> {
    await this.#scripts.run("forgetSteps", queue, id, token, from);
  }
}
