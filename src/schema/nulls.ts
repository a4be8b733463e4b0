/**
 * Null instead of no value: some clients, such as CrewAI, send null for each optional field that the model leaves out.
 *
 * @module
 */
import { isObject } from "../json.ts";
import type { JsonSchema } from "./json_schema.ts";
import { placeOf } from "./pointer.ts";

interface Fields {
  readonly [name: string]: unknown;
}

/**
 * Returns an input without the fields that are null, where they are optional and their schema refuses null. All other nulls
 * stay, so that validation refuses them. Returns the same value if nothing changes.
 */
export function withoutNulls(schema: JsonSchema, input: Fields): Fields {
  return fieldsWithout(schema, input, schema);
}

function fieldsWithout({ properties, required }: Fields, value: Fields, root: JsonSchema): Fields {
  if (!isObject(properties)) return value;
  const isRequired = (key: string) => Array.isArray(required) && required.includes(key);
  const before = Object.entries(value);
  const after = before.flatMap(([key, field]) => {
    if (!Object.hasOwn(properties, key)) return [[key, field] as const];
    if (field !== null) return [[key, partsWithout(properties[key], field, root)] as const];
    return isRequired(key) || acceptsNull(properties[key], root) ? [[key, field] as const] : [];
  });
  const isSame = after.length === before.length && after.every(([key, field]) => field === value[key]);
  return isSame ? value : Object.fromEntries(after);
}

function partsWithout(part: unknown, value: unknown, root: JsonSchema): unknown {
  const schema = resolved(part, root);
  if (isObject(value)) return fieldsWithout(schema, value, root);
  if (!Array.isArray(value) || !isObject(schema.items)) return value;
  const after = value.map((item) => partsWithout(schema.items, item, root));
  return after.every((item, index) => item === value[index]) ? value : after;
}

/** How many references and choices within each other are followed. */
const MAX_STEPS = 10;

/** Whether a schema accepts null, as far as its plainest keywords say. */
function acceptsNull(part: unknown, root: JsonSchema, steps = 0): boolean {
  const schema = resolved(part, root);
  const { type, enum: values, anyOf, oneOf } = schema;
  if ("const" in schema) return schema.const === null;
  if (Array.isArray(values)) return values.includes(null);
  if (type !== undefined) return [type].flat().includes("null");
  const choices = anyOf ?? oneOf;
  if (!Array.isArray(choices) || steps === MAX_STEPS) return true;
  return choices.some((choice) => acceptsNull(choice, root, steps + 1));
}

/** The schema that a reference within its document means. One that leads nowhere says nothing. */
function resolved(schema: unknown, root: JsonSchema): Fields {
  let at: unknown = schema;
  for (let step = 0; step < MAX_STEPS; step++) {
    if (!isObject(at)) return {};
    const { $ref } = at;
    if (typeof $ref !== "string") return at;
    at = placeOf($ref, root);
  }
  return {};
}
