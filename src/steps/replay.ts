/**
 * What a run reports and logs while it only repeats earlier runs: nothing, because they have done so.
 *
 * @module
 */
import type { Claim, ProgressReport } from "../backend.ts";

/**
 * The beginning of a run that goes on with what earlier runs have recorded. It is over when the run has reached the step and
 * the answer that were recorded last: others may never be reached again, such as the answer to a question whose text has
 * changed. It is also over as soon as the run calls or asks anything new.
 */
export class Replay {
  readonly #claim: Pick<Claim, "report" | "log">;
  /** What was recorded last, and has not been reached. */
  readonly #ahead: Set<string>;
  /** What the code has reported: stored once the replay is over, because a task that is claimed shows no earlier reports. */
  #held: ProgressReport | undefined;

  /** `last`: the names of what was recorded last. */
  constructor(claim: Pick<Claim, "report" | "log">, last: Iterable<string>) {
    this.#claim = claim;
    this.#ahead = new Set(last);
  }

  /** The run has reached what an earlier one has recorded. */
  reach(name: string): void {
    if (this.#ahead.delete(name) && this.#ahead.size === 0) this.end();
  }

  /** The replay is over. */
  end(): void {
    this.#ahead.clear();
    const held = this.#held;
    this.#held = undefined;
    if (held) void this.#claim.report(held);
  }

  /** As that of the claim. */
  async report(report: ProgressReport): Promise<void> {
    if (this.#ahead.size === 0) return await this.#claim.report(report);
    const { progress = this.#held?.progress, message = this.#held?.message } = report;
    this.#held = { progress, message };
  }

  /** As that of the claim. */
  async log(...line: Parameters<Claim["log"]>): Promise<void> {
    if (this.#ahead.size === 0) await this.#claim.log(...line);
  }
}
