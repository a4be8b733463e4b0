/**
 * A JSON Schema within another one.
 *
 * @module
 */
import type { JsonSchema } from "./json_schema.ts";

/**
 * A schema as it stands at a place of another one, such as `#/properties/result`: references to its own root lead to that
 * place. One with an `$id` is a root wherever it stands.
 */
export function placed(schema: JsonSchema, place: string): JsonSchema {
  if ("$id" in schema) return schema;
  const move = (key: string, value: unknown) =>
    key === "$ref" && typeof value === "string" && /^#(\/|$)/.test(value) ? place + value.slice(1) : value;
  return JSON.parse(JSON.stringify(schema), move);
}
