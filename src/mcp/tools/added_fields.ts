/**
 * Fields that a client adds to the input of every tool, for itself.
 *
 * @module
 */
import { isObject } from "../../json.ts";
import type { JsonSchema } from "../../schema/json_schema.ts";

/** With this field, the model tells Gemini CLI that a call waits for earlier ones. Gemini CLI also sends it to the server. */
const WAIT_FOR_PREVIOUS = "wait_for_previous";

/** Returns an input without the field that Gemini CLI has added, unless the tool has a field of that name. */
export function withoutAddedFields(
  { properties }: JsonSchema,
  input: { readonly [name: string]: unknown },
): { readonly [name: string]: unknown } {
  if (isObject(properties) && Object.hasOwn(properties, WAIT_FOR_PREVIOUS)) return input;
  const { [WAIT_FOR_PREVIOUS]: _, ...own } = input;
  return own;
}
