/**
 * How an attempt ends: with the value that the code has returned, or with what it has thrown.
 *
 * @module
 */
import type { Attempt } from "../backend.ts";
import { isContent } from "../content/content.ts";
import { DefinitionError, InvalidInput, InvalidValue, JobFault, TimedOut, ToolError } from "../errors.ts";
import type { Job } from "../job.ts";
import { toJson } from "../json.ts";
import { validateOutput } from "../schema/schema.ts";
import { StepMismatch } from "../steps/steps.ts";
import type { Json, ResultValue } from "../task.ts";

/** What is stored for the value that the code has returned. */
export async function resultOf({ name, output }: Job, returned: unknown): Promise<ResultValue> {
  const { structuredContent, parts } = isContent(returned) ? returned : { structuredContent: returned };
  if (output && parts && structuredContent === undefined) {
    throw new InvalidValue("its content(…) has no structuredContent, which the output schema demands");
  }
  const json = toJson(structuredContent, "it");
  const value = output ? await validateOutput(output, json, name) : json;
  if (parts === undefined) return { value };
  const content: unknown = parts;
  return toJson({ value, content }, "it") as Json & ResultValue; // Measured as a whole.
}

/** The job has returned what cannot be its result. */
class UnusableResult extends ToolError {}

/** Whether the job has said by itself that it fails. */
export function isExpected(error: unknown): boolean {
  if (error instanceof UnusableResult || error instanceof StepMismatch) return false;
  return error instanceof ToolError || error instanceof JobFault;
}

/** Without retries: another attempt would repeat the work, only to end in the same way. */
export function refuseResult(error: unknown): never {
  if (!(error instanceof InvalidValue)) {
    throw error instanceof InvalidInput ? new UnusableResult(error.message, { cause: error }) : error;
  }
  throw new UnusableResult(`The result cannot be stored: ${error.message}.`, { cause: error });
}

/** The attempt has timed out, and its code has not stopped, so it may still run. */
export class Abandoned extends TimedOut {}

/** The longest error text that is kept, in UTF-16 units: enough for the output of a command, not for a memory dump. */
const MAX_ERROR = 1_048_576;

/** How an attempt ends whose code has thrown this. */
export function explain(error: unknown): Attempt {
  const attempt = attemptOf(error);
  return { ...attempt, message: attempt.message.slice(0, MAX_ERROR).toWellFormed() };
}

/** The thrown value decides whether to retry. Code may throw any value, even `undefined`. */
function attemptOf(error: unknown): Exclude<Attempt, { kind: "value" }> {
  // Faults that the job has not thrown have no code.
  if (error instanceof StepMismatch || error instanceof InvalidInput || error instanceof DefinitionError) {
    return { kind: "fault", message: error.message };
  }
  if (error instanceof JobFault) return { kind: "fault", message: error.message, code: error.code };
  if (error instanceof Abandoned) {
    return { kind: "error", message: error.message, retry: true, abandoned: true };
  }
  const message = textOf(error) || `The job threw ${describe(error)} without a message.`;
  const isFinal = error instanceof ToolError || error instanceof InvalidValue;
  return { kind: "error", message, retry: !isFinal };
}

function textOf(error: unknown): string {
  const said = typeof error === "object" && error !== null && "message" in error ? error.message : error;
  return typeof said === "string" ? said : "";
}

function describe(error: unknown): string {
  if (error instanceof Error) return error.name;
  try {
    return JSON.stringify(error) ?? String(error);
  } catch {
    return typeof error; // It cannot be JSON.
  }
}
