/**
 * `wait_seconds`: how a tool that reads a task waits for a change, so that its client need not ask again and again.
 *
 * @module
 */
import type { JsonSchema } from "../schema/json_schema.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import type { CallContext } from "./surface.ts";
import { waitWhile } from "./waiting_calls.ts";

/** How long a tool waits for a change. */
export interface WaitLimits {
  /** The longest wait, in ms. */
  readonly most: number;
  /** The wait of a call that says nothing, in ms. */
  readonly unsaid: number;
}

/** The schema of `wait_seconds`, as a property of a tool's input. A longer wait than allowed is cut, so there is no maximum. */
export function waitProperty({ most, unsaid }: WaitLimits): JsonSchema {
  const fallback = unsaid === most ? "which is the default" : `default ${unsaid / 1_000}`;
  const description = `How long to wait for the task to change its status, in seconds: at most ${
    most / 1_000
  }, ${fallback}`;
  return { type: "number", minimum: 0, description };
}

/** Whether a task still has the status of an earlier reading. */
export function unchanged(before: TaskInfo): (task: TaskInfo) => boolean {
  return ({ status }) => status === before.status;
}

/**
 * Waits while `stays` is true of a task that is not finished, as long as the call asks for. Resolves with the task as it
 * is then, and with a sentence that says so where the wait was cut.
 */
export async function waitAsAsked(
  stays: (task: TaskInfo) => boolean,
  before: TaskInfo,
  seconds: number | undefined,
  { most, unsaid }: WaitLimits,
  tasks: Tasks,
  { client, signal, onChange }: CallContext,
): Promise<{ readonly task: TaskInfo; readonly cut?: string }> {
  const asked = seconds === undefined ? unsaid : seconds * 1_000;
  // Other clients may answer a question, so a client that cannot ask a person leaves it alone.
  const listener = client.elicitation ? onChange : undefined;
  listener?.(before);
  const task = await waitWhile(stays, before, Math.min(asked, most), tasks, { signal, onChange: listener });
  return asked > most ? { task, cut: `It waits ${most / 1_000} s at most, not ${seconds}.` } : { task };
}
