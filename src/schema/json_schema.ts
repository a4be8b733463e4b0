/**
 * Validates with plain JSON Schema, through ajv, which is loaded on first use.
 *
 * @module
 */
import type { Ajv } from "ajv";
import { DefinitionError } from "../errors.ts";
import { hasMoreParts, isObject } from "../json.ts";
import { remember } from "../recent.ts";
import type { Json } from "../task.ts";
import { isEndless, isRecursive, unescape } from "./pointer.ts";
import { addUniqueItems } from "./unique_items.ts";

/** A JSON Schema document of draft 2020-12, or of draft 7 where its `$schema` says so. */
export type JsonSchema = { readonly [key: string]: Json };

export interface Mistake {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** The mistakes in a value, and whether these are all: for a costly value it is only the first. */
export interface Findings {
  readonly mistakes: readonly Mistake[];
  readonly all: boolean;
}

/** Returns what is wrong with a value; `undefined` if it is valid. */
export type Check = (value: unknown) => Findings | undefined;

const checks = new WeakMap<JsonSchema, Promise<Check>>();

/** The checks that were needed last, by the JSON of their schema. */
const newest = new Map<string, Check>();

/** How many of them are remembered. */
const MAX_NEWEST = 100;

/**
 * The check of a schema. Equal schemas share it, because each question that is read from a store has a schema object of its
 * own, and compiling one takes up to 1 ms. Rejects with `DefinitionError` if the schema itself is invalid.
 */
export function checkOf(schema: JsonSchema, what: string): Promise<Check> {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, check = checkOfEqual(schema, what));
  return check;
}

/**
 * Up to how many parts, fields and items, a value may have for all its mistakes to be collected. Each part can have one,
 * and some keywords compare every part with every other: a large input must not cost many times its size.
 */
const MAX_PARTS = 1_000;

const DRAFT_7 = /^http:\/\/json-schema\.org\/draft-07\/schema#?$/;

/**
 * The ajv that checks all schemas of a draft. There is only one, because it takes 15 ms to compile the schema of schemas. It
 * does not compile what it checks: two schemas may have the same `$id`, so each is compiled by an ajv of its own.
 */
const validators = new Map<typeof Ajv, Ajv>();

async function checkOfEqual(schema: JsonSchema, what: string): Promise<Check> {
  try {
    // What is compiled is what the text says, whoever changes their own schema later.
    const json = JSON.stringify(schema);
    const check = newest.get(json) ?? await compile(JSON.parse(json));
    remember(newest, json, check, MAX_NEWEST);
    return check;
  } catch (cause) {
    const advice = String(cause).includes(`"${schema.$schema}"`) ? ". Use draft 2020-12 or draft 7." : "";
    throw new DefinitionError(`Cannot use the schema of the ${what}: ${String(cause)}${advice}`, { cause });
  }
}

async function compile(schema: JsonSchema): Promise<Check> {
  const { addFormats, Ajv: Ajv7, Ajv2020 } = await import("../libraries/ajv.ts");
  const Draft = DRAFT_7.test(String(schema.$schema)) ? Ajv7 : Ajv2020;
  const newAjv = (allErrors: boolean) => {
    // Verbose errors have the schema that was not met, for `textOf`.
    const ajv = new Draft({ allErrors, strict: false, validateSchema: false, verbose: true });
    addFormats(ajv);
    addUniqueItems(ajv);
    return ajv;
  };
  let validator = validators.get(Draft);
  if (validator === undefined) validators.set(Draft, validator = newAjv(false));
  validator.validateSchema(schema, true);
  // With it, ajv's check is a promise, for which nobody waits.
  if (schema.$async) throw new Error("`$async` is no keyword of JSON Schema: remove it");
  if (isEndless(schema)) {
    throw new Error(
      "it refers to itself for the same value, so its check would never end; a field or an item may refer to it",
    );
  }
  const first = newAjv(false).compile(schema);
  let every: typeof first | undefined;
  // To find all mistakes, ajv goes on into each choice of a schema, and in each of these into each choice again.
  const mayCollect = !isRecursive(schema);
  return (value) => {
    if (first(value)) return undefined;
    const all = mayCollect && !hasMoreParts(value, MAX_PARTS);
    const check = all ? every ??= newAjv(true).compile(schema) : first;
    if (all) check(value);
    const mistakes = (check.errors ?? []).map(({ instancePath, keyword, message, params, parentSchema }) => ({
      path: [...instancePath.split("/").slice(1), ...blamedField(params)].map(unescape)
        .map((part) => /^\d+$/.test(part) ? Number(part) : part),
      message: textOf(keyword, params, parentSchema) ?? message ?? "is not valid",
    }));
    return { mistakes, all };
  };
}

/** Ajv reports a missing or extra field at its parent, but the error should name the field itself. */
function blamedField(params: Record<string, unknown>): string[] {
  const field = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return typeof field === "string" ? [field] : [];
}

/** What to say of a field where ajv's own message describes its parent, or does not name the allowed values. */
function textOf(keyword: string, params: Record<string, unknown>, schema: unknown): string | undefined {
  if (keyword === "required") return "is missing";
  if (keyword === "unevaluatedProperties") return "is not allowed here"; // Others may stand in other schemas.
  if (keyword === "additionalProperties") {
    const allowed = fieldsOf(schema);
    return `is not allowed here${allowed.length > 0 ? `, only ${allowed.join(", ")}` : ""}`;
  }
  if (keyword === "enum" && Array.isArray(params.allowedValues)) {
    return `must be one of ${params.allowedValues.map((value) => JSON.stringify(value)).join(", ")}`;
  }
  if (keyword === "const") return `must be ${JSON.stringify(params.allowedValue)}`;
}

/** The fields that an object may have; none if others may match a pattern. */
function fieldsOf(schema: unknown): string[] {
  if (!isObject(schema) || schema.patternProperties !== undefined || !isObject(schema.properties)) return [];
  return Object.keys(schema.properties);
}
