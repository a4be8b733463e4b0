/**
 * Calls of the process's provider and propagators. OpenTelemetry forbids them to throw. If one throws all the same, that
 * must neither end the process nor fail a call whose task is stored.
 *
 * @module
 */
import { writeLine } from "../log/stderr.ts";
import { messageOf, oneLine } from "../text.ts";

/** The longest text of an error in the line, in UTF-16 units. */
const LONGEST = 500;

let reported = false;

/** Calls a provider. If it throws, the result is `otherwise`, and the first time in a process stderr gets a line. */
export function quietly<T>(call: () => T, otherwise: T): T {
  try {
    return call();
  } catch (error) {
    if (!reported) writeLine(`mcp-jobs: ${oneLine(explain(error), LONGEST)}`);
    reported = true;
    return otherwise;
  }
}

function explain(error: unknown): string {
  return `OpenTelemetry's provider fails, so spans or metrics are missing; this is not repeated: ${messageOf(error)}`;
}
