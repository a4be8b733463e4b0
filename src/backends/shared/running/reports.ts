/**
 * Stores what a running job reports and logs, without holding the job up.
 *
 * @module
 */
import type { NewLogLine, ProgressReport } from "../../../backend.ts";
import { InvalidValue } from "../../../errors.ts";
import { NewestLines, type NewLines } from "../../../task_log/newest_lines.ts";

/** The reports and the lines of one run: merges those that come while some are being stored, and stores the result. */
export class Reports {
  readonly #store: (report: ProgressReport, added: NewLines) => Promise<void>;
  readonly #failed: (error: unknown) => void;
  #next: ProgressReport = {};
  #waiting = new Waiting();
  /** Whether something has come since the last write began. */
  #isNew = false;
  #storing: Promise<void> | undefined;
  /** Resolves once what waits is stored, or could not be: a call waits no longer, though others may follow without end. */
  #stored: PromiseWithResolvers<void> | undefined;
  #storingLines = false;

  /** `failed` receives the error of what cannot be stored. */
  constructor(store: (report: ProgressReport, added: NewLines) => Promise<void>, failed: (error: unknown) => void) {
    this.#store = store;
    this.#failed = failed;
  }

  /** Stores the newest report; while one is being stored, later ones merge and follow it. */
  report({ progress = this.#next.progress, message = this.#next.message }: ProgressReport): Promise<void> {
    this.#next = { progress, message };
    return this.#storeSoon();
  }

  /**
   * Stores a line of the log; lines that come while one is being stored follow together. Those that could not be stored
   * wait for the next ones. Of those that wait, no more are held than a task keeps.
   */
  log(line: NewLogLine): Promise<void> {
    this.#waiting.add(line);
    return this.#storeSoon();
  }

  /**
   * Stores the lines that wait. Returns `undefined` if there are none; otherwise it rejects if they cannot be stored now,
   * and may be called again.
   */
  flush(): Promise<void> | undefined {
    return this.#storingLines || this.#waiting.added.lines.length > 0 ? this.#flush() : undefined;
  }

  #storeSoon(): Promise<void> {
    this.#isNew = true;
    this.#stored ??= Promise.withResolvers();
    const { promise } = this.#stored;
    this.#storing ??= this.#drain();
    return promise;
  }

  async #drain(): Promise<void> {
    await undefined; // Reports of the same tick are stored together.
    while (this.#isNew) {
      this.#isNew = false;
      const stored = this.#stored;
      this.#stored = undefined;
      await this.#storeNext().catch(this.#failed); // The job does not fail because a report could not be stored.
      stored?.resolve();
    }
    this.#storing = undefined;
  }

  async #flush(): Promise<void> {
    await this.#storing;
    while (this.#waiting.added.lines.length > 0) {
      await this.#storeNext().catch((error) => {
        if (!(error instanceof InvalidValue)) throw error; // Lines that never can be stored must not keep the task from its end.
        this.#failed(error);
      });
    }
  }

  async #storeNext(): Promise<void> {
    const [report, { added }] = [this.#next, this.#waiting];
    [this.#next, this.#waiting, this.#storingLines] = [{}, new Waiting(), added.lines.length > 0];
    try {
      await this.#store(report, added);
    } catch (error) {
      if (!(error instanceof InvalidValue)) this.#waiting = new Waiting(added, this.#waiting.added); // Else it never will be.
      throw error;
    } finally {
      this.#storingLines = false;
    }
  }
}

/** The lines that wait to be stored. */
class Waiting {
  readonly #lines: NewestLines<NewLogLine>;
  readonly #skipped: number;

  /** Begins with batches, in order. */
  constructor(...batches: readonly NewLines[]) {
    this.#lines = new NewestLines(batches.flatMap(({ lines }) => lines));
    this.#skipped = batches.reduce((sum, { skipped }) => sum + skipped, 0);
  }

  add(line: NewLogLine): void {
    this.#lines.add(line);
  }

  get added(): NewLines {
    return { skipped: this.#skipped + this.#lines.dropped, lines: this.#lines.lines };
  }
}
