/**
 * The cases of the kit that a backend of ours skips until it keeps the limits of jobs.
 *
 * @module
 */
import { limits } from "../../../src/testing/cases/keeping/limits.ts";

/** Each case of a job with limits, with the reason. */
export const withoutLimits: { readonly [caseName: string]: string } = Object.fromEntries(
  Object.keys(limits).map((name) => [name, "this backend has no limits of jobs yet"]),
);
