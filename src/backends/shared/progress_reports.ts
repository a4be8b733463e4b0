/**
 * What a running job says of itself, stored without haste.
 *
 * @module
 */
import type { ProgressReport } from "../../backend.ts";
import { unheard } from "../../log/log_error.ts";

/** The reports of one run. */
export interface Reports {
  /** Stores the newest report; while one is being stored, later ones merge and follow it. */
  report(report: ProgressReport): Promise<void>;
  /** Stores nothing any more. Gives what resolves once all is stored, if something is under way. */
  end(): Promise<void> | undefined;
}

/** Takes the reports of a run, and stores what of them is still new. */
export function mergeReports(store: (report: ProgressReport) => Promise<void>): Reports {
  let ended = false;
  let next: ProgressReport | undefined;
  let storing: Promise<void> | undefined;
  const drain = async () => {
    while (next !== undefined && !ended) {
      const report = next;
      next = undefined;
      // A report is for those who watch: the job goes on without it.
      await store(report).catch(unheard("store the progress of a task"));
    }
  };
  return {
    report: (report) => {
      next = { progress: report.progress ?? next?.progress, message: report.message ?? next?.message };
      return storing ??= drain().finally(() => storing = undefined);
    },
    end: () => {
      ended = true;
      return storing;
    },
  };
}
