/**
 * Jobs that wait without a worker, and the steps that their runs have recorded: one hash for each job that has some.
 *
 * @module
 */
import type { RecordedStep } from "../../../backend.ts";
import type { WaitsFor } from "../../shared/record.ts";
import type { Answer } from "../../../task.ts";
import type { Hold } from "./records.ts";
import { parse } from "./scripts/read.ts";
import type { ParkReply } from "./scripts/parking.ts";
import type { RedisScripts } from "./scripts/run.ts";

/** From where on there may be more, and the steps before that, each as its index and its text. */
type StepsReply = readonly [next: number, ...found: (string | number)[]];

/** What a run goes by that is not the first. */
export interface Resumed {
  /** Whether its task is to stop. */
  readonly stops: boolean;
  /** Whether steps are recorded. */
  readonly hasSteps: boolean;
  /** The answers so far, by the keys of their questions. */
  readonly answers: ReadonlyMap<string, Answer>;
}

/** The same from the script: each answer after its key. */
type ResumedReply = readonly [stops: number, hasSteps: number, ...answered: string[]];

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

  /** Reads what a run of a job goes by that is not the first. */
  async resumed(queue: string, id: string): Promise<Resumed> {
    const [stops, hasSteps, ...answered] = await this.#scripts.run<ResumedReply>("resumed", queue, id);
    const answers = new Map<string, Answer>();
    for (let at = 0; at < answered.length; at += 2) {
      const answer = parse<Answer>(answered[at + 1] ?? null);
      if (answer) answers.set(answered[at] ?? "", answer);
    }
    return { stops: stops === 1, hasSteps: hasSteps === 1, answers };
  }

  /** Reads the steps of a job, in the order of their numbers. */
  async steps(queue: string, id: string): Promise<readonly RecordedStep[]> {
    const steps: RecordedStep[] = [];
    for (let from = 0; from >= 0;) {
      const [next, ...found] = await this.#scripts.run<StepsReply>("steps", queue, id, from);
      for (let at = 0; at < found.length; at += 2) {
        steps.push({ index: Number(found[at]), text: String(found[at + 1]) });
      }
      from = next;
    }
    return steps;
  }

  /** Stores a step of a run that holds its job. Resolves with whether it does. */
  async record(queue: string, { id, token }: Hold, { index, text }: RecordedStep): Promise<boolean> {
    return await this.#scripts.run<0 | 1>("record", queue, id, token, index, text) === 1;
  }

  /** Deletes the steps of a job from a number on, for a run that holds it. */
  async forget(queue: string, { id, token }: Hold, from: number): Promise<void> {
    await this.#scripts.run("forgetSteps", queue, id, token, from);
  }

  /** Deletes the steps of a job if it has ended. */
  async drop(queue: string, id: string): Promise<void> {
    await this.#scripts.run("dropSteps", queue, id);
  }
}
