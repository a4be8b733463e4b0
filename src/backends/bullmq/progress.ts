/**
 * How far a task is, from the progress in its job.
 *
 * @module
 */
import { isObject } from "../../json.ts";
import type { Json, TaskBase } from "../../task.ts";
import { cutMessage } from "../../text.ts";

/**
 * The progress that a job reported. Our workers add the run, so that nothing is left of an earlier one. Other workers
 * pass a number, where up to 1 is a fraction and more is a percentage, or an object with `progress` and `message`.
 */
export function progressOf(
  { progress, started }: { readonly progress?: Json; readonly started: number },
): Pick<TaskBase, "progress" | "message"> {
  if (typeof progress === "number") return { progress: fraction(progress) };
  if (!isObject(progress)) return {};
  if (typeof progress.run === "number" && progress.run !== started) return {};
  return {
    ...(typeof progress.progress === "number" && { progress: fraction(progress.progress) }),
    ...(typeof progress.message === "string" && { message: cutMessage(progress.message) }),
  };
}

function fraction(value: number): number {
  return Math.min(1, Math.max(0, value > 1 ? value / 100 : value));
}
