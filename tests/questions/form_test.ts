/**
 * Questions as the forms that clients show. What is sent is validated with the schemas of both official clients, which
 * refuse a form before anybody sees it.
 *
 * @module
 */
import { specTypeSchemas } from "@modelcontextprotocol/client";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import { defineJob, DefinitionError } from "../../mod.ts";
import { type JsonSchema, ToolRegistry } from "../../strategy.ts";
import { formOf } from "../../src/questions/form.ts";
import { elicitation } from "../../src/mcp/questions.ts";
import { toJsonSchema } from "../../src/schema/schema.ts";
import { assertEquals, assertThrows } from "../../tools/std.ts";

const COLOURS = ["red", "blue"];
const TITLED = [{ const: "r", title: "Red" }, { const: "b", title: "Blue" }];
const CHOICE = { type: "string", enum: COLOURS };

/** Fields that a form can ask for, each with the field of the form. */
const FIELDS: { readonly [what: string]: readonly [field: z.ZodType | JsonSchema, shown: JsonSchema] } = {
  text: [z.string().min(2).max(9), { type: "string", minLength: 2, maxLength: 9 }],
  "text with a title, a description and a default": [
    z.string().default("Ada").meta({ title: "Name", description: "Your name" }),
    { type: "string", title: "Name", description: "Your name", default: "Ada" },
  ],
  "a pattern": [z.string().regex(/^a/).regex(/b$/), { type: "string" }],
  "an e-mail address": [z.email(), { type: "string", format: "email" }],
  "a URL": [z.url(), { type: "string", format: "uri" }],
  "a date": [z.iso.date(), { type: "string", format: "date" }],
  "a time": [z.iso.datetime(), { type: "string", format: "date-time" }],
  "a format that forms do not have": [z.uuid(), { type: "string" }],
  "another one": [z.ipv4(), { type: "string" }],
  "a number": [z.number().positive().max(9).multipleOf(2), { type: "number", maximum: 9 }],
  "a whole number": [z.int().min(1).max(9).default(3), { type: "integer", minimum: 1, maximum: 9, default: 3 }],
  "yes or no": [z.boolean().default(true), { type: "boolean", default: true }],
  "a number with a description": [z.number().meta({ description: "In metres" }), {
    type: "number",
    description: "In metres",
  }],
  "yes or no with a description": [z.boolean().meta({ description: "For ever" }), {
    type: "boolean",
    description: "For ever",
  }],
  "several of a list with a description": [z.array(z.enum(COLOURS)).meta({ description: "Of the walls" }), {
    type: "array",
    description: "Of the walls",
    items: CHOICE,
  }],
  "a list": [z.enum(COLOURS), CHOICE],
  "a list with a default": [z.enum(COLOURS).default("blue"), { ...CHOICE, default: "blue" }],
  "one constant": [z.literal("red"), { type: "string", enum: ["red"] }],
  "a union of constants": [z.union([z.literal("red"), z.literal("blue")]), CHOICE],
  "a union of lists": [z.union([z.enum(["red"]), z.enum(["blue"])]), CHOICE],
  "a list without a type": [{ enum: COLOURS }, CHOICE],
  "a list with names": [{ ...CHOICE, enumNames: ["Red", "Blue"] }, { ...CHOICE, enumNames: ["Red", "Blue"] }],
  "constants with titles": [{ oneOf: TITLED }, { type: "string", oneOf: TITLED }],
  "constants of which one has no title": [{ oneOf: [{ const: "red", title: "Red" }, { const: "blue" }] }, CHOICE],
  "several of a list": [
    z.array(z.enum(COLOURS)).min(1).max(2).default(["red"]),
    { type: "array", minItems: 1, maxItems: 2, items: CHOICE, default: ["red"] },
  ],
  "several constants with titles": [{ type: "array", items: { anyOf: TITLED } }, {
    type: "array",
    items: { anyOf: TITLED },
  }],
  "a constant with a title of its own": [{ const: "red", title: "Colour" }, {
    ...CHOICE,
    title: "Colour",
    enum: ["red"],
  }],
  "text of two kinds": [{ type: "string", anyOf: [{ format: "ipv4" }, { format: "ipv6" }] }, { type: "string" }],
  "a default that is not a text": [{ type: "string", default: null }, { type: "string" }],
};

/** Fields that no form can ask for. */
const REFUSED: { readonly [what: string]: z.ZodType | JsonSchema } = {
  "text or nothing": z.string().nullable(),
  "one of a list or nothing": z.enum(COLOURS).nullable(),
  "text or a number": z.union([z.string(), z.number()]),
  "numbers that are constant": z.union([z.literal(1), z.literal(2)]),
  "a list that holds more than text": { type: "string", enum: ["red", null] },
  "one of an empty list": { anyOf: [] },
  "a list of free texts": z.array(z.string()),
  "an object": z.object({ street: z.string() }),
  "an unknown type": z.unknown(),
  "a boolean schema": { type: "object", properties: { field: true } },
};

function schemaOf(field: z.ZodType | JsonSchema): JsonSchema {
  if (field instanceof z.ZodType) return toJsonSchema(z.object({ field }), "input", "the question");
  return "properties" in field ? field : { type: "object", properties: { field }, required: ["field"] };
}

for (const [what, [field, shown]] of Object.entries(FIELDS)) {
  Deno.test(`a form asks for ${what}, and both official clients accept it`, () => {
    const params = elicitation({ key: "q", message: "Well?", schema: schemaOf(field) });
    const requestedSchema = { type: "object", properties: { field: shown }, required: ["field"] };
    const { required: _, ...rest } = requestedSchema;
    const optional = schemaOf(field).required === undefined;
    assertEquals(params, { mode: "form", message: "Well?", requestedSchema: optional ? rest : requestedSchema });
    const request: object = { method: "elicitation/create", params };
    // Clients drop what they do not know, so nothing else may be sent.
    assertEquals(ElicitRequestSchema.parse(request), request);
    const modern: unknown = specTypeSchemas.ElicitRequest["~standard"].validate(request);
    assertEquals(modern, { value: request });
  });
}

for (const [what, field] of Object.entries(REFUSED)) {
  Deno.test(`a form cannot ask for ${what}: the error names the field, and says what to ask for`, () => {
    assertThrows(
      () => formOf(schemaOf(field), "question-1"),
      DefinitionError,
      "Cannot ask for field in question-1: no form has such a field. Ask for text, a number, yes or no, or one of a list",
    );
  });
}

Deno.test("a form follows references within the question", () => {
  const $defs = { name: { $ref: "#/$defs/a~1b" }, "a/b": { type: "string", title: "Text" } };
  const schema = { type: "object", properties: { name: { $ref: "#/$defs/name", title: "Name" } }, $defs };
  assertEquals(formOf(schema, "it"), { type: "object", properties: { name: { type: "string", title: "Name" } } });
});

Deno.test("a form cannot follow a reference to nothing, to another document, or to itself", () => {
  for (const $ref of ["#/$defs/none", "https://example.com/name.json", "#/$defs/loop", "#/$defs/constructor"]) {
    const schema = { type: "object", properties: { name: { $ref } }, $defs: { loop: { $ref: "#/$defs/loop" } } };
    assertThrows(() => formOf(schema, "it"), DefinitionError, "Cannot ask for name in it");
  }
});

Deno.test("a registration fails if askFor names a field that no form can ask for", () => {
  const job = defineJob({
    name: "invite",
    input: z.object({ name: z.string().nullable(), guests: z.array(z.string()) }),
  });
  for (const field of ["name", "guests"]) {
    assertThrows(
      () => new ToolRegistry().register(job, { askFor: { [field]: "?" } }),
      DefinitionError,
      `Cannot ask for ${field} in the input of invite`,
    );
  }
});

Deno.test("askFor follows references to the field's schema", () => {
  const name = z.string().min(3).meta({ id: "Name" });
  const job = defineJob({ name: "invite", input: z.object({ name }) });
  const [question] = new ToolRegistry().register(job, { askFor: { name: "Who?" } }).askFor;
  assertEquals(question && elicitation(question).requestedSchema, {
    type: "object",
    properties: { name: { type: "string", minLength: 3 } },
    required: ["name"],
  });
});
