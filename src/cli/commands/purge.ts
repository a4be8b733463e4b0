/**
 * `mcp-jobs purge`: deletes finished tasks.
 *
 * @module
 */
import type { TerminalStatus } from "../../task.ts";
import { type Command, command, type Option, UsageError } from "../command.ts";
import { oneOf, time } from "../option.ts";
import { show } from "../output.ts";

const FINAL: Option<TerminalStatus> = oneOf("STATUS", "COMPLETED, FAILED or CANCELLED", [
  "COMPLETED",
  "FAILED",
  "CANCELLED",
]);

/** Deletes finished tasks. */
export const purge: Command = command({
  name: "purge",
  about: "Delete finished tasks and their results before they expire",
  operands: [],
  options: {
    status: FINAL,
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
