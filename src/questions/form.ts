/**
 * From the schema of a question to the form that a client shows: a flat object whose fields are text, numbers, yes or
 * no, and choices (MCP, Elicitation, "Requested Schema"). Clients refuse any other form, and then the person sees nothing.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import { placeOf } from "../schema/pointer.ts";
import type { Json } from "../task.ts";

const FORMATS: readonly Json[] = ["email", "uri", "date", "date-time"];

/** The longest chain of references that is followed. */
const MAX_REFERENCES = 10;

/**
 * The form of a schema, with only the keywords that forms may have; answers are still validated with the whole schema.
 * Throws `DefinitionError`, which names the field, if a form cannot ask for it; `what` names the schema.
 */
export function formOf(schema: JsonSchema, what: string): JsonSchema {
  const { properties, required } = schema;
  const fields = Object.entries(isObject(properties) ? properties : {}).map(([name, field]) => {
    const form = isObject(field) ? fieldOf(resolve(field, schema), schema) : undefined;
    if (form === undefined) {
      throw new DefinitionError(
        `Cannot ask for ${name} in ${what}: no form has such a field. Ask for text, a number, yes or no, or one of a ` +
          "list or some of it; let what may be left out be optional, not null.",
      );
    }
    return [name, form] as const;
  });
  return { type: "object", properties: Object.fromEntries(fields), ...(required !== undefined && { required }) };
}

/** A field as a form has it; `undefined` if forms have no such field. */
function fieldOf(field: JsonSchema, root: JsonSchema): JsonSchema | undefined {
  const { type, items, title: _, ...rest } = field;
  const named = pick(field, { title: isText, description: isText });
  if (type === "boolean") return { type, ...named, ...pick(field, { default: isBoolean }) };
  if (type === "number" || type === "integer") {
    return { type, ...named, ...pick(field, { minimum: isNumber, maximum: isNumber, default: isNumber }) };
  }
  if (type === "array") {
    const choices = isObject(items) ? choicesOf(resolve(items, root), root) : undefined;
    const shown = choices && listOf(choices, "anyOf");
    return shown &&
      { type, ...named, items: shown, ...pick(field, { minItems: isNumber, maxItems: isNumber, default: isTexts }) };
  }
  if (type !== undefined && type !== "string") return undefined;
  const choices = choicesOf(rest, root);
  if (choices) {
    return {
      type: "string",
      ...named,
      ...listOf(choices, "oneOf"),
      ...pick(field, { enumNames: isTexts, default: isText }),
    };
  }
  if (type === undefined || "const" in field || "enum" in field) return undefined;
  const format = (value: Json) => FORMATS.includes(value);
  return { type, ...named, ...pick(field, { minLength: isNumber, maxLength: isNumber, format, default: isText }) };
}

interface Choice {
  readonly [key: string]: Json;
  readonly const: string;
}

/** The options of a choice; `undefined` if the field is not a list of texts. */
function choicesOf(field: JsonSchema, root: JsonSchema): readonly Choice[] | undefined {
  const { const: only, enum: list, title } = field;
  if (isText(only)) return [{ const: only, ...(isText(title) && { title }) }];
  if (isTexts(list)) return list.map((text) => ({ const: text }));
  const any = field.anyOf ?? field.oneOf;
  if (only !== undefined || list !== undefined || !Array.isArray(any) || any.length === 0) return undefined;
  const found = any.map((one: Json) => isObject(one) ? choicesOf(resolve(one, root), root) : undefined);
  return found.every((choices) => choices !== undefined) ? found.flat() : undefined;
}

/** The options as a schema, under `titled` if each has a title. */
function listOf(choices: readonly Choice[], titled: "anyOf" | "oneOf"): JsonSchema {
  if (choices.every((choice) => "title" in choice)) return { [titled]: choices };
  return { type: "string", enum: choices.map((choice) => choice.const) };
}

/** Replaces a reference to a place in `root` by the schema there, since a client sees the field alone. */
function resolve(schema: JsonSchema, root: JsonSchema): JsonSchema {
  let resolved = schema;
  for (let left = MAX_REFERENCES; left > 0 && isText(resolved.$ref); left--) {
    const { $ref, ...beside } = resolved;
    const found = placeOf($ref, root);
    if (!isObject(found)) return {};
    resolved = { ...found, ...beside };
  }
  return "$ref" in resolved ? {} : resolved;
}

/** Those of the keywords that a field has, and whose values are valid. */
function pick(field: JsonSchema, keywords: { readonly [keyword: string]: (value: Json) => boolean }): JsonSchema {
  return Object.fromEntries(
    Object.entries(keywords).flatMap(([keyword, fits]) => {
      const value = field[keyword];
      return value !== undefined && fits(value) ? [[keyword, value]] : [];
    }),
  );
}

const isText = (value: Json | undefined): value is string => typeof value === "string";
const isNumber = (value: Json): value is number => typeof value === "number";
const isBoolean = (value: Json): value is boolean => typeof value === "boolean";
const isTexts = (value: Json | undefined): value is string[] => Array.isArray(value) && value.every(isText);
