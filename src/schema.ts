/**
 * Schemas: from any Standard Schema, or plain JSON Schema, to JSON Schema for the wire and validation for the queue.
 *
 * @module
 */
import { DefinitionError, type InputIssue, InvalidInput } from "./errors.ts";
import type { Json } from "./task.ts";

/** A JSON Schema document of draft 2020-12, or of draft 7 where its `$schema` says so. */
export type JsonSchema = { readonly [key: string]: Json };

/** The part of the Standard Schema interface (https://standardschema.dev) that is used here; zod 4, ArkType and others have it. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** The properties that the standard names. */
  readonly "~standard": {
    /** The version of the standard. */
    readonly version: 1;
    /** The library that made the schema. */
    readonly vendor: string;
    /** Validates a value. */
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** Gives the schema as JSON Schema, where the library can (Standard JSON Schema). */
    readonly jsonSchema?: {
      readonly input: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
      readonly output: (options: { readonly target: "draft-2020-12" }) => Record<string, unknown>;
    };
    /** The types, at compile time only. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a Standard Schema answers. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
    readonly issues: readonly {
      readonly message: string;
      readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
    }[];
  };

/** What a job's `input` or `output` may be. */
export type Schema = StandardSchema | JsonSchema;

/** The type of a value that has passed a schema. */
export type Infer<S extends Schema> = S extends StandardSchema
  ? NonNullable<S["~standard"]["types"]> extends { readonly output: infer Output } ? Output : unknown
  : { readonly [key: string]: Json };

function isStandard(schema: Schema): schema is StandardSchema {
  return "~standard" in schema;
}

/** Gives a schema as JSON Schema. Throws `DefinitionError` if its library cannot, or if it does not describe an object. */
export function toJsonSchema(schema: Schema, side: "input" | "output", name: string): JsonSchema {
  if (schema === undefined || schema === null) {
    throw new DefinitionError(`Cannot use ${name} without ${side} schema: { type: "object" } takes any object.`);
  }
  const json = isStandard(schema) ? standardToJson(schema, side, name) : schema;
  if (json.type !== "object") {
    throw new DefinitionError(`The ${side} schema of ${name} must describe an object ("type": "object").`);
  }
  return json;
}

function standardToJson(schema: StandardSchema, side: "input" | "output", name: string): JsonSchema {
  const { vendor, jsonSchema } = schema["~standard"];
  if (jsonSchema === undefined) {
    throw new DefinitionError(
      `Cannot turn the ${side} schema of ${name} into JSON Schema: this version of ${vendor} does not offer it. ` +
        "Use one with Standard JSON Schema (zod 4.2 or later, ArkType, valibot through toStandardJsonSchema of " +
        "@valibot/to-json-schema), or pass plain JSON Schema.",
    );
  }
  try {
    return JSON.parse(JSON.stringify(jsonSchema[side]({ target: "draft-2020-12" })));
  } catch (cause) {
    throw new DefinitionError(`Cannot turn the ${side} schema of ${name} into JSON Schema: ${String(cause)}`, {
      cause,
    });
  }
}

/**
 * Validates a value; `what` names it in the error, as "input for echo". Resolves with the schema's output value;
 * rejects with `InvalidInput`, which names each field.
 */
export async function validate(schema: Schema, value: unknown, what: string): Promise<unknown> {
  if (!isStandard(schema)) return await validateJson(schema, value, what);
  const result = await schema["~standard"].validate(value);
  if (result.issues === undefined) return result.value;
  throw new InvalidInput(
    what,
    result.issues.map(({ message, path = [] }) => ({
      path: path.map((part) => typeof part === "object" ? part.key : part).reduce(joinPath, ""),
      message,
    })),
  );
}

function joinPath(path: string, part: PropertyKey): string {
  if (typeof part === "number") return `${path}[${part}]`;
  return path ? `${path}.${String(part)}` : String(part);
}

/** Rejects with `DefinitionError` if a plain JSON Schema is itself wrong: better before the work than after it. */
export async function checkSchema(schema: Schema, what: string): Promise<void> {
  if (!isStandard(schema)) await compiled(schema, what);
}

type Check = (value: unknown) => readonly InputIssue[];
const checks = new WeakMap<JsonSchema, Promise<Check>>();

function compiled(schema: JsonSchema, what: string): Promise<Check> {
  let check = checks.get(schema);
  if (check === undefined) checks.set(schema, check = compile(schema, what));
  return check;
}

async function validateJson(schema: JsonSchema, value: unknown, what: string): Promise<unknown> {
  const issues = (await compiled(schema, what))(value);
  if (issues.length > 0) throw new InvalidInput(what, issues);
  return value;
}

const DRAFT_7 = /^http:\/\/json-schema\.org\/draft-07\/schema#?$/;

/** Compiles with ajv, which is loaded only where plain JSON Schema is used. */
async function compile(schema: JsonSchema, what: string): Promise<Check> {
  const [{ Ajv }, { Ajv2020 }, formats] = await Promise.all([
    import("ajv"),
    import("ajv/dist/2020.js"),
    import("ajv-formats"),
  ]);
  const Draft = DRAFT_7.test(String(schema.$schema)) ? Ajv : Ajv2020;
  const ajv = new Draft({ allErrors: true, strict: false });
  formats.default.default(ajv);
  try {
    const check = ajv.compile(schema);
    return (value) => {
      check(value);
      return (check.errors ?? []).map(({ instancePath, message, params }) => ({
        path: [...instancePath.split("/").slice(1), ...blamedField(params)].map(unescape)
          .map((part) => /^\d+$/.test(part) ? Number(part) : part).reduce<string>(joinPath, ""),
        message: message ?? "is not valid",
      }));
    };
  } catch (cause) {
    throw new DefinitionError(`Cannot use the schema of the ${what}: ${String(cause)}`, { cause });
  }
}

/** Ajv reports a missing or an extra field at its parent; the message should name the field itself. */
function blamedField(params: Record<string, unknown>): string[] {
  const field = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  return typeof field === "string" ? [field] : [];
}

/** A JSON pointer's escapes. */
function unescape(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}
