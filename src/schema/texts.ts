/**
 * Which texts of a value a JSON Schema matches against which patterns.
 *
 * @module
 */
import { isObject } from "../json.ts";
import type { Json } from "../task.ts";
import type { JsonSchema } from "./json_schema.ts";
import { placeOf, referencesOf, SAME_VALUE } from "./pointer.ts";

/** A text, or the name of a field, that is matched against a pattern. */
export interface MatchedText {
  readonly text: string;
  /** The pattern; `undefined` if it cannot be told, because of a reference. */
  readonly pattern?: string;
  readonly path: readonly PropertyKey[];
}

/** Keywords whose schema applies to items, and to values of fields; some apply to fewer of them than assumed here. */
const OF_ITEMS = ["contains", "unevaluatedItems"];
const OF_FIELDS = ["additionalProperties", "unevaluatedProperties"];

/** Where ajv-formats takes long for "url". The pattern of "hostname" is slow as well, but ends after 253 characters. */
const URL_FORMAT = "^(?:https?|ftp)://(?:\\S+(?::\\S*)?@)?";

/**
 * Walks a value along its schema. All branches count, whether they apply or not, since a validator may try any of them. But
 * each schema counts once for each part of the value: a schema whose choices contain itself would otherwise lead to every
 * part on exponentially many ways.
 */
export function* textsUnder(root: Json, value: unknown): Generator<MatchedText> {
  yield* walk([root], value, []);

  function* walk(
    given: Iterable<Json | undefined>,
    value: unknown,
    path: readonly PropertyKey[],
  ): Generator<MatchedText> {
    const schemas = new Set<JsonSchema>();
    const add = (schema: Json | undefined) => isObject(schema) && schemas.add(schema);
    for (const schema of given) add(schema);
    if (schemas.size === 0) return;
    let isHidden = false;
    // Iterating over a set includes what is added on the way.
    for (const schema of schemas) {
      if (typeof value === "string") { for (const pattern of patternsOf(schema)) yield { text: value, pattern, path }; }
      for (const reference of referencesOf(schema)) {
        const target = placeOf(reference, root);
        add(target);
        isHidden ||= target === undefined;
      }
      for (const keyword of SAME_VALUE) for (const part of listOf(schema[keyword])) add(part);
      if (isObject(schema.dependentSchemas)) { for (const part of Object.values(schema.dependentSchemas)) add(part); }
    }
    if (isHidden) yield* allTexts(value, path);
    else if (Array.isArray(value)) yield* walkItems([...schemas], value, path);
    else if (typeof value === "object" && value !== null) yield* walkFields([...schemas], value, path);
  }

  function* walkItems(schemas: readonly JsonSchema[], items: readonly unknown[], path: readonly PropertyKey[]) {
    for (const [index, item] of items.entries()) {
      yield* walk(schemas.flatMap((schema) => ofItem(schema, index)), item, [...path, index]);
    }
  }

  function* walkFields(schemas: readonly JsonSchema[], fields: object, path: readonly PropertyKey[]) {
    for (const [name, field] of Object.entries(fields)) {
      const at = [...path, name];
      yield* walk(schemas.map(({ propertyNames }) => propertyNames), name, at);
      const patterns = schemas.flatMap(({ patternProperties }) =>
        isObject(patternProperties) ? Object.entries(patternProperties) : []
      );
      for (const [pattern] of patterns) yield { text: name, pattern, path: at };
      yield* walk(
        [...schemas.flatMap((schema) => ofField(schema, name)), ...patterns.map(([, part]) => part)],
        field,
        at,
      );
    }
  }
}

/** The patterns that a schema itself matches a text against. */
export function patternsOf({ pattern, format }: JsonSchema): readonly string[] {
  return [pattern, format === "url" ? URL_FORMAT : undefined].filter((one) => typeof one === "string");
}

/** The schemas that may apply to an item. */
function ofItem(schema: JsonSchema, index: number): readonly (Json | undefined)[] {
  const { items, additionalItems, prefixItems } = schema;
  // Draft 7 has a list in `items`, and the schema of further items in `additionalItems`.
  const first = listOf(prefixItems ?? (Array.isArray(items) ? items : undefined));
  const rest = Array.isArray(items) ? additionalItems : items;
  return [index < first.length ? first[index] : rest, ...OF_ITEMS.map((keyword) => schema[keyword])];
}

/** The schemas that may apply to a field, except those by pattern. */
function ofField(schema: JsonSchema, name: string): readonly (Json | undefined)[] {
  const { properties } = schema;
  const own = isObject(properties) && Object.hasOwn(properties, name) ? properties[name] : undefined;
  return [own, ...OF_FIELDS.map((keyword) => schema[keyword])];
}

function listOf(part: Json | undefined): readonly Json[] {
  if (part === undefined) return [];
  return Array.isArray(part) ? part : [part];
}

function* allTexts(value: unknown, path: readonly PropertyKey[]): Generator<MatchedText> {
  if (typeof value === "string") yield { text: value, path };
  else if (typeof value === "object" && value !== null) {
    for (const [name, inside] of Object.entries(value)) {
      yield { text: name, path: [...path, name] };
      yield* allTexts(inside, [...path, name]);
    }
  }
}
