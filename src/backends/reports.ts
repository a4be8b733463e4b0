/**
 * What a running job says of itself, stored without haste.
 *
 * @module
 */
import type { ProgressReport } from "../backend.ts";

/** Stores the newest report; while one is being stored, later ones merge and follow it. */
export function mergeReports(
  store: (report: ProgressReport) => Promise<void>,
): (report: ProgressReport) => Promise<void> {
  let next: ProgressReport | undefined;
  let storing: Promise<void> | undefined;
  const drain = async () => {
    while (next !== undefined) {
      const report = next;
      next = undefined;
      // A report is for those who watch: the job goes on without it.
      await store(report).catch(() => {});
    }
  };
  return (report) => {
    next = { progress: report.progress ?? next?.progress, message: report.message ?? next?.message };
    return storing ??= drain().finally(() => storing = undefined);
  };
}
