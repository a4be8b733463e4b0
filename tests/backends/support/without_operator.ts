/**
 * The cases of the kit that a backend of ours skips until it has an operator.
 *
 * @module
 */
import { operating } from "../../../src/testing/cases/operating/mod.ts";

/** Each case of an operator, with the reason. */
export const withoutOperator: { readonly [caseName: string]: string } = Object.fromEntries(
  Object.keys(operating).map((name) => [name, "this backend has no operator yet"]),
);
