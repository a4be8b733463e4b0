/**
 * Stores what a running job reports and logs, without holding the job up.
 *
 * @module
 */
import type { NewLogLine, ProgressReport } from "../../../backend.ts";
import { InvalidValue } from "../../../errors.ts";
import { NewestLines, type NewLines } from "../../../task_log/newest_lines.ts";

/** The reports and the log of one run. */
export interface Reports {
  /** Stores the newest report; while one is being stored, later ones merge and follow it. */
  report(report: ProgressReport): Promise<void>;
  /**
   * Stores a line of the log; lines that come while one is being stored follow together. Those that could not be stored
   * wait for the next ones. Of those that wait, no more are held than a task keeps.
   */
  log(line: NewLogLine): Promise<void>;
  /**
   * Stores the lines that wait. Returns `undefined` if there are none; otherwise it rejects if they cannot be stored now,
   * and may be called again.
   */
  flush(): Promise<void> | undefined;
  /** Stores no more reports. Returns what resolves once the write under way is made, if there is one. */
  end(): Promise<void> | undefined;
}

/**
 * Takes the reports and lines of a run, merges those that come while some are being stored, and stores the result. `failed`
 * receives the error of what cannot be stored.
 */
export function mergeReports(
  store: (report: ProgressReport, added: NewLines) => Promise<void>,
  failed: (error: unknown) => void,
): Reports {
  let ended = false;
  let isNew = false;
  let next: ProgressReport | undefined;
  let waiting = new Waiting();
  let storing: Promise<void> | undefined;
  let storingLines = false;
  const storeNext = async () => {
    const [report, { added }] = [next ?? {}, waiting];
    [next, waiting, storingLines] = [undefined, new Waiting(), added.lines.length > 0];
    try {
      await store(report, added);
    } catch (error) {
      if (!(error instanceof InvalidValue)) waiting = new Waiting(added, waiting.added); // Else it never will be.
      throw error;
    } finally {
      storingLines = false;
    }
  };
  const drain = async () => {
    await undefined; // Reports of the same tick are stored together.
    while (isNew && !ended) {
      isNew = false;
      // The job does not fail because a report could not be stored.
      await storeNext().catch(failed);
    }
  };
  const storeSoon = () => {
    isNew = true;
    return storing ??= drain().finally(() => storing = undefined);
  };
  const flush = async () => {
    await storing;
    while (waiting.added.lines.length > 0) {
      await storeNext().catch((error) => {
        if (!(error instanceof InvalidValue)) throw error; // Lines that never can be stored must not keep the task from its end.
        failed(error);
      });
    }
  };
  return {
    report: (report) => {
      next = { progress: report.progress ?? next?.progress, message: report.message ?? next?.message };
      return storeSoon();
    },
    log: (line) => {
      waiting.add(line);
      return storeSoon();
    },
    flush: () => storingLines || waiting.added.lines.length > 0 ? flush() : undefined,
    end: () => {
      ended = true;
      return storing;
    },
  };
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
