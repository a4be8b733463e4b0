/**
 * The keyword `uniqueItems`, in linear time. Ajv compares every item with every other one unless the items have a simple
 * type: a list of 20,000 takes it 14 s.
 *
 * @module
 */
import type { Ajv } from "ajv";
import { canonicalJson } from "../json.ts";

export function addUniqueItems(ajv: Ajv): void {
  ajv.removeKeyword("uniqueItems");
  ajv.addKeyword({
    keyword: "uniqueItems",
    type: "array",
    schemaType: "boolean",
    error: { message: "must NOT have duplicate items" },
    validate: (unique: boolean, items: readonly unknown[]) =>
      !unique || new Set(items.map(canonicalJson)).size === items.length,
  });
}
