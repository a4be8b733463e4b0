/**
 * Schemas: turns any Standard Schema into JSON Schema, and validates with it or with plain JSON Schema.
 *
 * @module
 */
import { DefinitionError, InvalidInput } from "../errors.ts";
import { isObject, toJson } from "../json.ts";
import { shown } from "../options.ts";
import { checkOf, type JsonSchema } from "./json_schema.ts";
import { type PatternGuard, patternGuardOf } from "./pattern_guard.ts";
import type { Json } from "../task.ts";
import { cut } from "../text.ts";

/** The part of the Standard Schema interface (https://standardschema.dev) that is used here. Zod 4, ArkType and others have it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The properties that the standard defines. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The library that made the schema. */
    readonly vendor: string;
    /** Validates a value. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Returns the schema as JSON Schema, if the library can (Standard JSON Schema). */
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
      readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
    /** The types; exist at compile time only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of validating with a Standard Schema. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: readonly {
      readonly message: string;
      readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
    }[];
  };

/** A schema, as a job's `input` and `output` take it. */
export type Schema = StandardSchema | JsonSchema;

/** The type of values that a schema accepts; `unknown` for plain JSON Schema, which has no types. */
export type Accepted<S extends Schema> = S extends StandardSchema
  ? NonNullable<S["~standard"]["types"]> extends { readonly input: infer Input } ? Input : unknown
  : unknown;

/** The type of values that a schema returns after validation. */
export type Infer<S extends Schema> = S extends StandardSchema
  ? NonNullable<S["~standard"]["types"]> extends { readonly output: infer Output } ? Output : unknown
  : { readonly [key: string]: Json };

/** Whether it is a Standard Schema. In some libraries these are functions. */
function isStandard(schema: unknown): schema is StandardSchema {
  return (typeof schema === "object" || typeof schema === "function") && schema !== null && "~standard" in schema;
}

/** Returns a schema as JSON Schema. Throws `DefinitionError` if its library cannot, or if it does not describe an object. */
export function toJsonSchema(schema: Schema, side: "input" | "output", name: string): JsonSchema {
  if (schema === undefined || schema === null) {
    throw new DefinitionError(`Cannot use ${name} without ${side} schema: { type: "object" } takes any object.`);
  }
  const json = isStandard(schema) ? standardToJson(schema, side, name) : schema;
  if (json.type !== "object") {
    throw new DefinitionError(
      `The ${side} schema of ${name} must describe an object ("type": "object")${howToWrap(schema)}.`,
    );
  }
  return json;
}

/** Advice for a Standard Schema of something else, and for an object of such schemas, zod's "raw shape". */
function howToWrap(schema: Schema): string {
  const parts: readonly unknown[] = isStandard(schema) ? [schema] : Object.values(schema);
  const inner = parts.find(isStandard);
  if (inner === undefined) return "";
  const { vendor } = inner["~standard"];
  return `: wrap it in ${vendor === "zod" ? "z.object({ … })" : `an object schema of ${vendor}`}`;
}

type JsonSchemas = NonNullable<StandardSchema["~standard"]["jsonSchema"]>;

const TARGET = { target: "draft-2020-12" } as const;

function plain(schema: Record<string, unknown>): JsonSchema {
  return JSON.parse(JSON.stringify(schema));
}

function standardToJson(schema: StandardSchema, side: "input" | "output", name: string): JsonSchema {
  const { vendor, jsonSchema } = schema["~standard"];
  if (jsonSchema === undefined) {
    throw new DefinitionError(
      `Cannot turn the ${side} schema of ${name} into JSON Schema: this version of ${vendor} does not offer it. ` +
        "Use one with Standard JSON Schema (zod 4.2 or later, but not zod/mini; ArkType; valibot through " +
        "toStandardJsonSchema of @valibot/to-json-schema), or pass plain JSON Schema.",
    );
  }
  try {
    if (side === "input") return inputOf(schema, jsonSchema);
    return leaveOpen(plain(jsonSchema.output(TARGET)), inputIfAny(schema));
  } catch (cause) {
    throw new DefinitionError(
      `Cannot turn the ${side} schema of ${name} into JSON Schema: ${String(cause)}${howToReplace(cause)}`,
      { cause },
    );
  }
}

/**
 * Libraries say of an output that it has no further fields, because validation removes them. But clients remember the schema
 * from when they listed the tools, and would refuse each result of newer code that has one more. So only those objects
 * refuse further fields that also do so in the `input`, such as a `z.strictObject`. With further fields, a result may fit
 * more than one schema of a union.
 */
function leaveOpen<T>(output: T, input: unknown): T;
function leaveOpen(output: unknown, input: unknown): unknown {
  if (Array.isArray(output)) {
    return output.map((item, i) => leaveOpen(item, Array.isArray(input) ? input[i] : undefined));
  }
  if (!isObject(output)) return output;
  const ofInput = isObject(input) ? input : {};
  const parts = Object.entries(output).filter(([key, part]) => {
    return key !== "additionalProperties" || part !== false || ofInput[key] === false;
  });
  return Object.fromEntries(parts.map(([key, part]) => {
    return [key === "oneOf" && Array.isArray(part) ? "anyOf" : key, leaveOpen(part, ofInput[key])];
  }));
}

/** Advice for the types that people expect to find in JSON. Libraries say which type it is, but not what to use. */
function howToReplace(cause: unknown): string {
  const advice = ". JSON has no dates and no bigints: use strings, such as z.iso.datetime().";
  return /\b(date|bigint)\b/i.test(String(cause)) ? advice : "";
}

/** The most mistakes that one error names. */
const MAX_NAMED = 20;

/** The longest path to a field, and the longest text of a mistake, in UTF-16 units: both may quote the input. */
const LONGEST_PATH = 200;
const LONGEST_MESSAGE = 500;

/**
 * Validates a value; `what` names it in the error, such as "input for echo". Resolves with the value that the schema
 * returns. Rejects with `InvalidInput`, which names up to 20 wrong fields, or for plain JSON Schema only the first if the
 * value is large or the schema recursive.
 */
export async function validate<S extends Schema>(schema: S, value: unknown, what: string): Promise<Infer<S>> {
  const tooLong = (await guardOf(schema, what))(value);
  if (tooLong) throw invalid(what, [tooLong], true);
  const check = isStandard(schema) ? undefined : await checkOf(schema, what);
  try {
    if (isStandard(schema)) {
      const result = await schema["~standard"].validate(value);
      if (result.issues) throw invalid(what, result.issues, true);
      return result.value as Infer<S>;
    }
    const found = check?.(value);
    if (found) throw invalid(what, found.mistakes, found.all);
    return value as Infer<S>;
  } catch (error) {
    // Some patterns need JavaScript's stack for each character.
    if (!(error instanceof RangeError && error.message === "Maximum call stack size exceeded")) throw error;
    throw invalid(what, [{ message: "it is too long, or nested too deeply, to be checked against its schema" }], true);
  }
}

/**
 * Validates a job's result, and resolves with what the output schema returns for it: clients know that schema, and check
 * results against it. Rejects with `InvalidInput` if it does not fit, and with `InvalidValue` if the schema turns it into
 * something other than JSON.
 */
export async function validateOutput(schema: Schema, value: Json, job: string): Promise<Json> {
  const output = await validate(schema, value, `result of ${job}`);
  return output === value ? value : toJson(output, "it");
}

/**
 * Rejects with `DefinitionError` if a plain JSON Schema itself is invalid, or if a pattern of any schema takes exponential
 * time. Called early, so that this shows before any work is done.
 */
export async function checkSchema(schema: Schema, what: string): Promise<void> {
  await guardOf(schema, what);
  if (!isStandard(schema)) await checkOf(schema, what);
}

/** As `checkSchema`, for both schemas of a job. */
export async function checkSchemas(
  { name, input, output }: { readonly name: string; readonly input: Schema; readonly output?: Schema },
): Promise<void> {
  await checkSchema(input, `input for ${name}`);
  if (output) await checkSchema(output, `result of ${name}`);
}

function guardOf(schema: Schema, what: string): Promise<PatternGuard> {
  if (!isStandard(schema) && !isObject(schema)) {
    throw new DefinitionError(
      `Cannot validate the ${what}: ${shown(schema)} is no schema. ` +
        "Pass a Standard Schema, as of zod, or a JSON Schema.",
    );
  }
  return patternGuardOf(schema, () => isStandard(schema) ? inputIfAny(schema) : schema, what);
}

/** Libraries make the JSON Schema anew each time, and every run of a job needs those of its questions. */
const inputs = new WeakMap<StandardSchema, JsonSchema>();

/** The input of a Standard Schema, as JSON Schema. Throws if its library cannot return it. */
function inputOf(schema: StandardSchema, library: JsonSchemas): JsonSchema {
  let json = inputs.get(schema);
  if (json === undefined) inputs.set(schema, json = plain(library.input(TARGET)));
  return json;
}

/** As `inputOf`, but `undefined` if its library cannot return it. */
function inputIfAny(schema: StandardSchema): JsonSchema | undefined {
  const { jsonSchema } = schema["~standard"];
  try {
    return jsonSchema && inputOf(schema, jsonSchema);
  } catch {
    return undefined; // `defineJob` refuses such a schema, but `ctx.elicit` may be given one.
  }
}

type Mistakes = NonNullable<StandardResult<unknown>["issues"]>;

function invalid(what: string, mistakes: Mistakes, all: boolean): InvalidInput {
  const named = mistakes.slice(0, MAX_NAMED).map(({ message, path = [] }) => ({
    path: cut(path.map((part) => typeof part === "object" ? part.key : part).reduce(joinPath, ""), LONGEST_PATH),
    message: cut(message, LONGEST_MESSAGE),
  }));
  if (!all) return new InvalidInput(what, named, "only the first mistake is named");
  const more = mistakes.length - named.length;
  return new InvalidInput(what, named, more > 0 ? `and ${more} more` : undefined);
}

function joinPath(path: string, part: PropertyKey): string {
  if (typeof part === "number") return `${path}[${part}]`;
  return path ? `${path}.${String(part)}` : String(part);
}
