/**
 * Questions that are asked before there is a task: for fields of the input that a call lacks.
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";
import { formOf } from "./form.ts";
import { isObject } from "../json.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import type { Question } from "../task.ts";

/** The questions for fields of an input; the key is the name of the field. Throws `DefinitionError` for a field that no form can ask for. */
export function questionsFor(
  name: string,
  input: JsonSchema,
  askFor: { readonly [field: string]: string },
): readonly Question[] {
  const { $schema, $defs, definitions } = input;
  const fields = isObject(input.properties) ? input.properties : {};
  // The schema of a field may refer to one of these.
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

/** The input schema of a tool whose calls may leave out the fields that the person is asked for. */
export function withoutAsked(schema: JsonSchema, questions: readonly Question[]): JsonSchema {
  if (questions.length === 0 || !Array.isArray(schema.required)) return schema;
  const asked = questions.map(({ key }) => key);
  return { ...schema, required: schema.required.filter((field) => !asked.includes(field)) };
}
