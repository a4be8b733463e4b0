/**
 * `mcp-jobs purge` and `mcp-jobs migrate`: what a store keeps, and the tables that keep it.
 *
 * @module
 */
import { type Command, command, UsageError } from "../command.ts";
import { final, time } from "../option.ts";
import { show } from "../output.ts";

export const purge: Command = command({
  name: "purge",
  about: "Delete finished tasks and their results before they expire",
  operands: [],
  options: {
    status: final("COMPLETED, FAILED or CANCELLED"),
    before: time("those that finished before"),
  },
  run: async ({ operator, options: { status, before }, out }) => {
    if (status === undefined || before === undefined) {
      throw new UsageError("it needs --status and --before, so that nothing is deleted by mistake.");
    }
    const deleted = await operator.purge({ status, before });
    show(out, { deleted }, () => `${deleted} deleted`);
  },
});

/** Makes or updates the tables on PostgreSQL, which is done by the time that the store is open. */
export const migrate: Command = command({
  name: "migrate",
  about: "Make or update the tables on PostgreSQL, before servers and workers of a new version start",
  operands: [],
  options: {},
  migrates: true,
  run: ({ out }) => Promise.resolve(show(out, { migrated: true }, () => "The tables are up to date.")),
});
