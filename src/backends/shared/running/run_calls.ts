/**
 * What the code of one run calls: each call reaches the store as long as what the run does counts.
 *
 * @module
 */
import type { Claim, ProgressReport, RecordedStep } from "../../../backend.ts";
import { JobsError } from "../../../errors.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import { OpenQuestions, type QuestionStore } from "./open_questions.ts";
import { Reports } from "./reports.ts";

/** What a store does for one run. */
export interface RunStore extends QuestionStore, Pick<Claim, "steps" | "record" | "forget"> {
  /** Stores a report of the code, and adds lines to the log of the task. */
  report(report: ProgressReport, added: NewLines): Promise<void>;
}

export class RunCalls {
  readonly questions: OpenQuestions;
  readonly reports: Reports;
  readonly #store: RunStore;
  readonly #isOver: () => boolean;
  /** The steps that are being recorded. */
  readonly #recording = new Set<Promise<void>>();

  /**
   * `signal` is that of the code; `isOver`: whether what it does no longer counts. `failed` receives the error of a report
   * that cannot be stored.
   */
  constructor(store: RunStore, signal: AbortSignal, isOver: () => boolean, failed: (error: unknown) => void) {
    this.#store = store;
    this.#isOver = isOver;
    this.questions = new OpenQuestions(store, signal);
    this.reports = new Reports((report, added) => store.report(report, added), failed);
  }

  /** As a claim has them. */
  get ofClaim(): Pick<Claim, "report" | "log" | "ask" | "stored" | "steps" | "record" | "forget"> {
    return {
      report: async (report) => this.#isOver() ? undefined : await this.reports.report(report),
      log: async (line) => this.#isOver() ? undefined : await this.reports.log(line),
      ask: (question) => this.#during(() => this.questions.ask(question)),
      stored: () => this.questions.stored(),
      steps: () => this.#during(() => this.#store.steps()),
      record: (step) => this.#during(() => this.#record(step)),
      forget: (from) => this.#during(() => this.#store.forget(from)),
    };
  }

  /** Resolves once no step is being recorded. */
  async recorded(): Promise<void> {
    await Promise.allSettled(this.#recording); // The code that records a step gets its error.
  }

  #record(step: RecordedStep): Promise<void> {
    const recorded: Promise<void> = this.#store.record(step).finally(() => this.#recording.delete(recorded));
    this.#recording.add(recorded);
    return recorded;
  }

  async #during<T>(act: () => Promise<T>): Promise<T> {
    if (this.#isOver()) throw new JobsError("The attempt is over.");
    return await act();
  }
}
