/**
 * What a run reports and logs while it may only repeat earlier runs: held back, because they have told it already.
 *
 * @module
 */
import type { Claim, ProgressReport } from "../backend.ts";
import type { NewLogLine } from "../contract/log.ts";
import { MAX_LINES } from "../task_log/newest_lines.ts";

/** A run that has reached nothing recorded for so long, in ms, does again what earlier ones have not recorded. */
const REPEATS_MS = 1_000;

/**
 * The reports and lines of one run. An earlier run has already told what comes before a recorded step or answer. So reports
 * and lines are held: the lines are dropped once the run reaches something recorded. Both are told once the run does
 * something new, ends, or has reached nothing for a second.
 */
export class Replay {
  readonly #claim: Pick<Claim, "report" | "log">;
  /** Whether something recorded may follow. */
  #repeats: boolean;
  #holds: boolean;
  /** The newest report, which outlives the lines: a task that is claimed shows no earlier ones. */
  #report: ProgressReport | undefined;
  #lines: NewLogLine[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `repeats`: whether earlier runs may have recorded something. */
  constructor(claim: Pick<Claim, "report" | "log">, repeats: boolean) {
    this.#claim = claim;
    this.#repeats = this.#holds = repeats;
  }

  /** The run has reached what an earlier one has recorded. */
  reach(): void {
    this.#holds = this.#repeats;
    this.#lines = [];
    this.#stopTimer();
  }

  /** The run does something new, or has ended. */
  end(): void {
    this.#repeats = false;
    this.#tell();
  }

  /** As that of the claim. What is held resolves at once. */
  async report(report: ProgressReport): Promise<void> {
    if (!this.#holds) return await this.#claim.report(report);
    const { progress = this.#report?.progress, message = this.#report?.message } = report;
    this.#report = { progress, message };
    this.#startTimer();
  }

  /** As that of the claim. What is held resolves at once. */
  async log(line: NewLogLine): Promise<void> {
    if (!this.#holds) return await this.#claim.log(line);
    this.#lines.push(line);
    if (this.#lines.length === MAX_LINES) this.#tell();
    else this.#startTimer();
  }

  #tell(): void {
    this.#holds = false;
    this.#stopTimer();
    if (this.#report) void this.#claim.report(this.#report);
    for (const line of this.#lines) void this.#claim.log(line);
    this.#report = undefined;
    this.#lines = [];
  }

  #startTimer(): void {
    this.#timer ??= setTimeout(() => this.#tell(), REPEATS_MS);
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
