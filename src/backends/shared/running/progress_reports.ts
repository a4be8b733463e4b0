/**
 * Stores the progress that a running job reports, without holding the job up.
 *
 * @module
 */
import type { ProgressReport } from "../../../backend.ts";
import { logFailureOf } from "../../../log/log_error.ts";

/** The reports of one run. */
export interface Reports {
  /** Stores the newest report; while one is being stored, later ones merge and follow it. */
  report(report: ProgressReport): Promise<void>;
  /** Stores nothing more. Returns what resolves once the report under way is stored, if there is one. */
  end(): Promise<void> | undefined;
}

/** Takes the reports of a run, merges those that come while one is being stored, and stores the result. */
export function mergeReports(store: (report: ProgressReport) => Promise<void>): Reports {
  let ended = false;
  let next: ProgressReport | undefined;
  let storing: Promise<void> | undefined;
  const drain = async () => {
    while (next !== undefined && !ended) {
      const report = next;
      next = undefined;
      // The job does not fail because a report could not be stored.
      await store(report).catch(logFailureOf("store the progress of a task"));
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
