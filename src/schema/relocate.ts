/**
 * Puts a JSON Schema inside another one.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { isObject } from "../json.ts";
import { shown } from "../options.ts";
import type { JsonSchema } from "./json_schema.ts";

/**
 * Prepares a schema for a place in another one, such as `#/properties/result`: references to its own root then refer to that
 * place. A schema with an `$id` does not need it, since it is a root wherever it is.
 */
export function relocateSchema(schema: JsonSchema, place: string): JsonSchema {
  if (!isObject(schema)) {
    throw new DefinitionError(
      `Cannot put a schema at ${place}: ${shown(schema)} is no JSON Schema. A job without \`output\` has none.`,
    );
  }
  if ("$id" in schema) return schema;
  const move = (key: string, value: unknown) =>
    key === "$ref" && typeof value === "string" && /^#(\/|$)/.test(value) ? place + value.slice(1) : value;
  return JSON.parse(JSON.stringify(schema), move);
}
