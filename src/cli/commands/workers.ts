/**
 * `mcp-jobs workers`: which workers are alive.
 *
 * @module
 */
import { type Command, command } from "../command.ts";
import { timeOf } from "../format.ts";
import { showRows } from "../output.ts";

export const workers: Command = command({
  name: "workers",
  about: "List the workers that are alive",
  operands: [],
  options: {},
  run: async ({ operator, out }) => {
    showRows(out, await operator.workers(), [
      { title: "WORKER", cell: ({ name }) => name },
      { title: "HOST", cell: ({ host }) => host, shrinks: true, spare: "last" },
      { title: "PID", cell: ({ pid }) => String(pid), right: true, spare: "last" },
      { title: "RUNNING", cell: ({ running }) => String(running.length), right: true },
      { title: "SINCE", cell: ({ since }) => timeOf(since), spare: "last" },
      { title: "JOBS", cell: ({ jobs }) => jobs.join(", "), shrinks: true },
    ], "No worker of mcp-jobs is alive.");
  },
});
