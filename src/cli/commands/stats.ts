/**
 * `mcp-jobs stats`: how many tasks each job has.
 *
 * @module
 */
import type { JobCounts } from "../../backend.ts";
import { type Command, command } from "../command.ts";
import { lengthOfTime } from "../format.ts";
import { showRows } from "../output.ts";
import type { Column } from "../table.ts";

/** Counts the tasks of each job. */
export const stats: Command = command({
  name: "stats",
  about: "Count the tasks of each job by their status, and say which have no worker",
  operands: [],
  options: {},
  run: async ({ operator, out }) => {
    const now = Date.now();
    const jobs = await operator.counts();
    // On a narrow terminal, what no job has is left out first.
    const spare = (title: string, of: (job: JobCounts) => number): Column<JobCounts> => ({
      title,
      cell: (job) => String(of(job)),
      right: true,
      spare: jobs.some((job) => of(job) > 0) ? "last" : "first",
    });
    showRows(out, jobs, [
      { title: "JOB", cell: ({ job }) => job, shrinks: true },
      { title: "PENDING", cell: ({ counts }) => String(counts.PENDING), right: true },
      { title: "RUNNING", cell: ({ counts }) => String(counts.RUNNING), right: true },
      spare("RETRYING", ({ counts }) => counts.RETRYING),
      spare("ASKING", ({ counts }) => counts.INPUT_REQUIRED),
      spare("PARKED", ({ parked }) => parked),
      { title: "COMPLETED", cell: ({ counts }) => String(counts.COMPLETED), right: true },
      { title: "FAILED", cell: ({ counts }) => String(counts.FAILED), right: true },
      spare("CANCELLED", ({ counts }) => counts.CANCELLED),
      {
        title: "OLDEST",
        cell: ({ oldestWaiting }) => oldestWaiting === undefined ? "" : lengthOfTime(now - oldestWaiting),
        right: true,
      },
      {
        title: "",
        cell: ({ paused, hasWorker }) =>
          [paused && "paused", hasWorker === false && "no worker"].filter(Boolean).join(", "),
      },
    ], "There are no tasks. Is this the store of the servers, with their --prefix or --schema?");
  },
});
