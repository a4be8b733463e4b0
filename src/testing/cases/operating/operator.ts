/**
 * What the cases of an operator have in common.
 *
 * @module
 */
import type { Backend, JobCounts } from "../../../backend.ts";
import type { JobContext } from "../../../steps/context.ts";
import { aborted } from "../../stage.ts";

/** The counts of one job. */
export async function countsOf(backend: Backend, job: string): Promise<JobCounts | undefined> {
  return (await backend.operator.counts()).find((counts) => counts.job === job);
}

/** Code that always fails. */
export function fail(): never {
  throw new Error("no luck");
}

/** Code that ends only when it is to stop. */
export function endless(_: unknown, { signal }: JobContext): Promise<never> {
  return aborted(signal);
}
