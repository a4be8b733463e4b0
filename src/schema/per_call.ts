/**
 * Fields of a call that say when and how urgently its task runs. They stand beside those of the job's input, and never
 * reach the job.
 *
 * @module
 */
import { DefinitionError, InvalidInput } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Rule } from "../options.ts";
import type { Json } from "../task.ts";
import type { JsonSchema } from "./json_schema.ts";

/** What a call may set for its task: when it starts, and its priority. */
export type PerCallField = "startAt" | "priority";

/** How far ahead a call may start its task, in ms: 365 days. */
const LONGEST_AHEAD = 365 * 24 * 3_600_000;

/** The least urgent priority that a call may set. */
const LEAST_URGENT = 1_000;

const FIELDS: readonly PerCallField[] = ["startAt", "priority"];

/** The rule of the option `perCall`. */
export const PER_CALL: Rule = {
  expected: `a list of ${FIELDS.map((field) => JSON.stringify(field)).join(" and ")}`,
  fits: (value) => Array.isArray(value) && value.every((field) => FIELDS.includes(field)),
};

/** Keywords by which a schema may refuse or describe fields that it does not name as properties. */
const UNCLEAR = ["$ref", "$dynamicRef", "patternProperties", "propertyNames", "maxProperties"];

/** Keywords with which a schema closes an object to fields that it does not name. */
const CLOSING = ["additionalProperties", "unevaluatedProperties"];

/** Throws `DefinitionError` if the input of a job has one of these fields itself, or may refuse it. */
export function checkPerCall(name: string, input: JsonSchema, fields: readonly PerCallField[]): void {
  for (const field of fields) {
    const why = conflictOf(field, input, false);
    if (why === undefined) continue;
    throw new DefinitionError(`Cannot register ${name} with ${field} in \`perCall\`: its input schema ${why}.`);
  }
}

/** Why a field cannot stand beside those of a schema. `inner`: the schema is part of another one for the same object. */
function conflictOf(field: PerCallField, schema: unknown, inner: boolean): string | undefined {
  if (!isObject(schema)) return undefined;
  if (isObject(schema.properties) && Object.hasOwn(schema.properties, field)) return `has a field ${field} already`;
  const keyword = UNCLEAR.find((one) => schema[one] !== undefined) ??
    CLOSING.find((one) => inner && schema[one] !== undefined && schema[one] !== true);
  if (keyword !== undefined) return `may refuse it with \`${keyword}\``;
  const { allOf, anyOf, oneOf, not, if: condition, then, else: otherwise, dependentSchemas } = schema;
  const parts = [allOf, anyOf, oneOf, dependentSchemas].flatMap((many) => isObject(many) ? Object.values(many) : many);
  for (const part of [...parts, not, condition, then, otherwise]) {
    const why = conflictOf(field, part, true);
    if (why !== undefined) return why;
  }
}

/** The properties of a tool's input schema for these fields. */
function propertiesOf(
  fields: readonly PerCallField[],
  within: number,
): { readonly [field: string]: JsonSchema } {
  const all: { readonly [field in PerCallField]: JsonSchema } = {
    startAt: {
      type: "string",
      format: "date-time",
      description: `When to start, as ISO 8601 date and time with a time zone, at most ${shown(within)} ahead. ` +
        "Default: at once",
    },
    priority: {
      type: "integer",
      minimum: 0,
      maximum: LEAST_URGENT,
      description: "0 is the most urgent; larger numbers run later",
    },
  };
  return Object.fromEntries(fields.map((field) => [field, all[field]]));
}

/** A tool's input schema with these fields. `within`: how far ahead its tasks may start, in ms; default: 365 days. */
export function withPerCall(
  schema: JsonSchema,
  fields: readonly PerCallField[],
  within: number = LONGEST_AHEAD,
): JsonSchema {
  if (fields.length === 0) return schema;
  const properties = isObject(schema.properties) ? schema.properties : {};
  return { ...schema, properties: { ...properties, ...propertiesOf(fields, within) } };
}

/** What a call has set. */
export interface PerCall {
  /** For how long the task waits before its first attempt, in ms. */
  readonly delay?: number;
  readonly priority?: number;
}

/** What the job receives of a call's input. */
export function withoutPerCall(input: Json, fields: readonly PerCallField[]): Json {
  if (fields.length === 0 || !isObject(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([field]) => !fields.some((one) => one === field)));
}

/**
 * Reads what a call has set; `what` names its input in errors, `now` is in ms since the epoch, `within` as in
 * `withPerCall`. Throws `InvalidInput` for what the schema does not allow.
 */
export function readPerCall(
  input: Json,
  fields: readonly PerCallField[],
  { what, now, within = LONGEST_AHEAD }: { readonly what: string; readonly now: number; readonly within?: number },
): PerCall {
  if (fields.length === 0 || !isObject(input)) return {};
  const given = (field: PerCallField) =>
    fields.includes(field) && Object.hasOwn(input, field) ? input[field] : undefined;
  const refuse = (path: PerCallField, message: string) => new InvalidInput(what, [{ path, message }]);
  const [startAt, priority] = [given("startAt"), given("priority")];
  const delay = startAt === undefined ? undefined : timeOf(startAt) - now;
  if (Number.isNaN(delay)) {
    throw refuse("startAt", "must be an ISO 8601 date and time with a time zone, such as 2026-12-31T18:00:00Z");
  }
  if (delay !== undefined && delay > within) throw refuse("startAt", `must be at most ${shown(within)} ahead`);
  if (priority !== undefined && !isPriority(priority)) {
    throw refuse("priority", `must be a whole number from 0 to ${LEAST_URGENT}`);
  }
  return { ...(delay !== undefined && { delay: Math.max(0, delay) }), ...(priority !== undefined && { priority }) };
}

/** A date and time of ISO 8601 in the form of RFC 3339, which JSON Schema calls `date-time`. */
const DATE_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/** The time in ms since the epoch; NaN for what is none. */
function timeOf(given: unknown): number {
  const text = typeof given === "string" ? given.toUpperCase() : "";
  const day = text.slice(0, 10);
  if (!DATE_TIME.test(text) || Number.isNaN(Date.parse(day))) return NaN;
  // `Date.parse` takes 30 February for 2 March.
  return new Date(day).toISOString().startsWith(day) ? Date.parse(text) : NaN;
}

function isPriority(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= LEAST_URGENT;
}

/** A time in ms as people write it. */
function shown(ms: number): string {
  return ms >= 24 * 3_600_000 ? `${ms / (24 * 3_600_000)} days` : `${ms / 1_000} s`;
}
