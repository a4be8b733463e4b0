/**
 * What the person in front of the client is asked for before there is a task: fields of the input that a call lacks.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { formOf } from "./form.ts";
import { isObject } from "../json.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import type { Question } from "../task.ts";

/** The questions for fields of an input, each under the name of its field. Throws `DefinitionError` for one that no form has. */
export function questionsFor(
  name: string,
  input: JsonSchema,
  askFor: { readonly [field: string]: string },
): readonly Question[] {
  const { $schema, $defs, definitions } = input;
  const fields = isObject(input.properties) ? input.properties : {};
  // Where the schema of a field points to one of these, its question is checked with it, too.
  const beside = Object.entries({ $schema, $defs, definitions }).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value]]
  );
  return Object.entries(askFor).map(([field, message]) => {
    const schema = Object.hasOwn(fields, field) ? fields[field] : undefined;
    if (schema === undefined) {
      throw new DefinitionError(`Cannot ask for ${field}: the input of ${name} has no such field.`);
    }
    const own = { type: "object", properties: { [field]: schema }, required: [field] };
    const whole: JsonSchema = { ...Object.fromEntries(beside), ...own };
    formOf(whole, `the input of ${name}`);
    return { key: field, message, schema: whole };
  });
}

/** The input schema of a tool whose calls may leave these fields to the person. */
export function withoutAsked(schema: JsonSchema, questions: readonly Question[]): JsonSchema {
  if (questions.length === 0 || !Array.isArray(schema.required)) return schema;
  const asked = questions.map(({ key }) => key);
  return { ...schema, required: schema.required.filter((field) => !asked.includes(field)) };
}
