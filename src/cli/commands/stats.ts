/**
 * `mcp-jobs stats`: how many tasks each job has.
 *
 * @module
 */
import { type Command, command } from "../command.ts";
import { lengthOfTime } from "../format.ts";
import { showRows } from "../output.ts";

/** Counts the tasks of each job. */
export const stats: Command = command({
  name: "stats",
  about: "Count the tasks of each job by their status, and say which have no worker",
  operands: [],
  options: {},
  run: async ({ operator, out }) => {
    const now = Date.now();
    showRows(out, await operator.counts(), [
      { title: "JOB", cell: ({ job }) => job, shrinks: true },
      { title: "PENDING", cell: ({ counts }) => String(counts.PENDING), right: true },
      { title: "RUNNING", cell: ({ counts }) => String(counts.RUNNING), right: true },
      { title: "RETRYING", cell: ({ counts }) => String(counts.RETRYING), right: true, spare: "last" },
      { title: "ASKING", cell: ({ counts }) => String(counts.INPUT_REQUIRED), right: true, spare: "last" },
      { title: "PARKED", cell: ({ parked }) => String(parked), right: true, spare: "last" },
      { title: "COMPLETED", cell: ({ counts }) => String(counts.COMPLETED), right: true },
      { title: "FAILED", cell: ({ counts }) => String(counts.FAILED), right: true },
      { title: "CANCELLED", cell: ({ counts }) => String(counts.CANCELLED), right: true, spare: "last" },
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
    ], "There are no tasks.");
  },
});
