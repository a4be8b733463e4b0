/**
 * Which texts of a value a JSON Schema matches against which patterns.
 *
 * @module
 */
import { isObject } from "../json.ts";
import type { Json } from "../task.ts";
import { placeOf } from "./pointer.ts";

/** A text, or the name of a field, that is matched against a pattern. */
export interface MatchedText {
  readonly text: string;
  /** The pattern; `undefined` if a reference hides which one it is. */
  readonly pattern?: string;
  /** The path to the text. */
  readonly path: readonly PropertyKey[];
}

/** Keywords whose schema, or list of schemas, applies to the value itself. */
const IN_PLACE = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/** Keywords whose schema applies to items, and to values of fields; some apply to fewer of them than assumed here. */
const OF_ITEMS = ["contains", "unevaluatedItems"];
const OF_FIELDS = ["additionalProperties", "unevaluatedProperties"];

/** Walks a value along its schema. All branches count, whether they apply or not, since a validator may try any of them. */
export function* textsUnder(root: Json, value: unknown): Generator<MatchedText> {
  yield* walk(root, value, []);

  function* walk(
    schema: Json | undefined,
    value: unknown,
    path: readonly PropertyKey[],
    followed: ReadonlySet<string> = new Set(),
  ): Generator<MatchedText> {
    if (!isObject(schema)) return;
    if (typeof value === "string" && typeof schema.pattern === "string") {
      yield { text: value, pattern: schema.pattern, path };
    }
    const { $ref } = schema;
    if (typeof $ref === "string" && !followed.has($ref)) {
      const target = placeOf($ref, root);
      if (target === undefined) yield* allTexts(value, path);
      else yield* walk(target, value, path, new Set([...followed, $ref]));
    }
    for (const keyword of IN_PLACE) {
      for (const part of listOf(schema[keyword])) yield* walk(part, value, path, followed);
    }
    if (isObject(schema.dependentSchemas)) {
      for (const part of Object.values(schema.dependentSchemas)) yield* walk(part, value, path, followed);
    }
    if (Array.isArray(value)) yield* walkItems(schema, value, path);
    else if (typeof value === "object" && value !== null) yield* walkFields(schema, value, path);
  }

  function* walkItems(
    schema: { readonly [key: string]: Json },
    items: readonly unknown[],
    path: readonly PropertyKey[],
  ) {
    // Draft 7 has a list in `items`, and the schema of further items in `additionalItems`.
    const first = listOf(schema.prefixItems ?? (Array.isArray(schema.items) ? schema.items : undefined));
    const rest = Array.isArray(schema.items) ? schema.additionalItems : schema.items;
    for (const [index, item] of items.entries()) {
      const at = [...path, index];
      yield* walk(index < first.length ? first[index] : rest, item, at);
      for (const keyword of OF_ITEMS) yield* walk(schema[keyword], item, at);
    }
  }

  function* walkFields(schema: { readonly [key: string]: Json }, fields: object, path: readonly PropertyKey[]) {
    const { properties, patternProperties, propertyNames } = schema;
    for (const [name, field] of Object.entries(fields)) {
      const at = [...path, name];
      yield* walk(propertyNames, name, at);
      if (isObject(properties) && Object.hasOwn(properties, name)) yield* walk(properties[name], field, at);
      for (const keyword of OF_FIELDS) yield* walk(schema[keyword], field, at);
      if (!isObject(patternProperties)) continue;
      for (const [pattern, part] of Object.entries(patternProperties)) {
        yield { text: name, pattern, path: at };
        yield* walk(part, field, at);
      }
    }
  }
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
