import { z } from "zod";
import * as mini from "zod/mini";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../tools/std.ts";
import { DefinitionError, InvalidInput } from "../../src/errors.ts";
import type { JsonSchema } from "../../src/schema/json_schema.ts";
import { checkSchema, type StandardSchema, toJsonSchema, validate } from "../../src/schema/schema.ts";

const zodUser = z.object({ name: z.string(), tags: z.array(z.object({ id: z.number() })).default([]) });

const plainUser: JsonSchema = {
  type: "object",
  properties: {
    name: { type: "string" },
    mail: { type: "string", format: "email" },
    tags: { type: "array", items: { type: "object", properties: { id: { type: "number" } }, required: ["id"] } },
    "odd/~key": { type: "string" },
  },
  required: ["name"],
  additionalProperties: false,
};

/** A schema of a library that implements Standard Schema, but not Standard JSON Schema. */
const handMade: StandardSchema<{ n: number }> = {
  "~standard": {
    version: 1,
    vendor: "handmade",
    validate: (value) =>
      typeof value === "object" && value !== null && "n" in value && typeof value.n === "number"
        ? { value: { n: value.n } }
        : { issues: [{ message: "n must be a number", path: ["list", 0, { key: "n" }] }] },
  },
};

function refusal(schema: JsonSchema | StandardSchema, value: unknown): Promise<InvalidInput> {
  return assertRejects(() => validate(schema, value, "input for test"), InvalidInput, "input for test");
}

async function pathsOf(schema: JsonSchema | StandardSchema, value: unknown): Promise<readonly string[]> {
  const error = await refusal(schema, value);
  for (const { path, message } of error.issues) {
    assertStringIncludes(error.message, path ? `${path}: ${message}` : message);
  }
  return error.issues.map(({ path }) => path);
}

Deno.test("a zod schema becomes JSON Schema of its input side, with defaults optional", () => {
  const schema = toJsonSchema(zodUser, "input", "user");
  assertEquals(schema.type, "object");
  assertEquals(schema.required, ["name"]);
});

Deno.test("an output that a client has listed may have further fields later, unless its schema refuses them itself", async () => {
  const item = z.object({ id: z.number() });
  const listed = toJsonSchema(z.object({ total: z.number(), items: z.array(item) }), "output", "report");
  await validate(listed, { total: 1, items: [{ id: 1, name: "new" }], currency: "EUR" }, "result of report");
  await refusal(listed, { total: "1", items: [] });
  const strict = toJsonSchema(z.strictObject({ total: z.number() }), "output", "report");
  await refusal(strict, { total: 1, currency: "EUR" });
});

Deno.test("in an output that a client has listed, only the objects that refuse further fields themselves stay closed", async () => {
  const schema = z.object({ open: z.object({}), closed: z.array(z.union([z.string(), z.strictObject({})])) });
  const listed = toJsonSchema(schema, "output", "report");
  await validate(listed, { open: { a: 1 }, closed: ["", {}], more: 1 }, "result of report");
  await refusal(listed, { open: {}, closed: ["", { a: 1 }] });
  const day = z.date().transform((date) => date.toISOString()).pipe(z.string()); // Its input is no JSON.
  const report = toJsonSchema(z.object({ day }), "output", "report");
  await validate(report, { day: "2026-11-30", currency: "EUR" }, "result of report");
});

Deno.test("a result that fits several members of a union, if they may have further fields, fits the output that a client has listed", async () => {
  const text = z.number().transform(String).pipe(z.string());
  const members = [z.object({ oneOf: z.string() }), z.object({ oneOf: text, unit: z.string() })] as const;
  const schema = z.object({ size: z.xor(members) });
  const result = schema.parse({ size: { oneOf: 5, unit: "MB" } });
  await validate(toJsonSchema(schema, "output", "report"), result, "result of report");
});

Deno.test("plain JSON Schema is taken as it is", () => {
  assertEquals(toJsonSchema(plainUser, "output", "user"), plainUser);
  assertEquals(toJsonSchema(plainUser, "input", "user"), plainUser);
});

Deno.test("a schema that cannot become JSON Schema is refused, with advice", () => {
  assertThrows(
    () => toJsonSchema(handMade, "input", "count"),
    DefinitionError,
    "this version of handmade does not offer",
  );
  assertThrows(() => toJsonSchema(handMade, "input", "count"), DefinitionError, "pass plain JSON Schema");
});

Deno.test("a zod type that JSON cannot represent is refused with its cause, and advice what to use", () => {
  for (const field of [z.bigint(), z.date()]) {
    const schema = z.object({ field });
    const error = assertThrows(() => toJsonSchema(schema, "input", "count"), DefinitionError, "input schema of count");
    assert(error.cause instanceof Error);
    assertStringIncludes(error.message, "JSON has no dates and no bigints: use strings, such as z.iso.datetime().");
  }
});

Deno.test("a schema of zod/mini is refused, and the error names zod itself", () => {
  const schema = mini.object({ n: mini.number() });
  assertThrows(() => toJsonSchema(schema, "input", "count"), DefinitionError, "zod 4.2 or later, but not zod/mini");
});

Deno.test("plain JSON Schema of another draft is refused, and the error names the drafts that can be used", async () => {
  const schema = { $schema: "http://json-schema.org/draft-04/schema#", type: "object" };
  await assertRejects(() => validate(schema, {}, "it"), DefinitionError, "Use draft 2020-12 or draft 7");
});

Deno.test("plain JSON Schema whose check is a promise is refused: every input would be accepted", async () => {
  const schema = { $async: true, type: "object", properties: { a: { type: "string" } } };
  await assertRejects(() => validate(schema, {}, "an input"), DefinitionError, "`$async` is no keyword of JSON Schema");
});

Deno.test("plain JSON Schema that refers to itself for the same value is refused: its check would never end", async () => {
  const choices: JsonSchema = { anyOf: [{ type: "string" }, { $ref: "#/$defs/a" }] };
  const endless: readonly JsonSchema[] = [
    { $ref: "#" },
    { allOf: [{ $ref: "#" }] },
    { not: { $ref: "#" } },
    { dependentSchemas: { a: { $ref: "#" } } },
    { $defs: { a: { $ref: "#/$defs/b" }, b: choices }, properties: { x: { $ref: "#/$defs/a" } } },
    { properties: { x: { items: { $ref: "#/properties/x/items" } } } },
    { $id: "tree", allOf: [{ $ref: "tree" }] },
    { $id: "https://example.com/tree#", properties: { x: { $ref: "https://example.com/tree#/properties/x" } } },
    { $id: "https://example.com/tree", allOf: [{ $ref: "tree" }] },
    { $id: "urn:example:tree", properties: { x: { $ref: "urn:example:tree#/properties/x" } } },
    { properties: { x: { $id: "T0", allOf: [{ $ref: "T0" }] } } },
    { properties: { x: { $id: "T0", $defs: { a: { $ref: "T0#/$defs/a" } } } } },
    { $anchor: "node", anyOf: [{ $ref: "#node" }] },
    { $dynamicAnchor: "node", anyOf: [{ $dynamicRef: "#node" }] },
  ];
  for (const schema of endless) {
    const check = () => checkSchema({ type: "object", ...schema }, "input for x");
    await assertRejects(check, DefinitionError, "refers to itself");
  }
});

Deno.test("plain JSON Schema that refers to itself for a part of the value is taken, whatever its fields are called", async () => {
  const node = {
    type: "object",
    properties: { allOf: { $ref: "#" }, $ref: { const: { $ref: "#" } }, not: { items: { $ref: "#" } } },
  };
  await checkSchema(node, "input for x");
  await validate(node, { allOf: { not: [{}] } }, "input for x");
  const tree = { $id: "tree", type: "object", properties: { children: { type: "array", items: { $ref: "tree" } } } };
  for (const schema of [tree, { type: "object", properties: { tree } }]) {
    await checkSchema(schema, "input for x");
    const value = { children: [{ children: 1 }] };
    const input = schema === tree ? value : { tree: value };
    await assertRejects(() => validate(schema, input, "input for x"), InvalidInput, "children[0]");
  }
});

Deno.test("a schema that does not describe an object is refused", () => {
  assertThrows(() => toJsonSchema(z.string(), "input", "text"), DefinitionError, "The input schema of text");
  assertThrows(() => toJsonSchema({ type: "array" }, "output", "list"), DefinitionError, "The output schema of list");
  assertThrows(() => toJsonSchema({}, "input", "empty"), DefinitionError, '"type": "object"');
});

Deno.test("fields without an object around them are refused, with advice how to wrap them", () => {
  const wrap = "wrap it in z.object({ … })";
  const shapes = [{ user_id: z.string() }, { type: z.literal("object"), user_id: z.string() }];
  for (const shape of [...shapes, z.string(), z.array(z.object({})), z.union([z.object({}), z.string()])]) {
    for (const side of ["input", "output"] as const) {
      assertThrows(() => toJsonSchema(shape as unknown as JsonSchema, side, "text"), DefinitionError, wrap);
    }
  }
  const expected = "wrap it in an object schema of handmade";
  assertThrows(() => toJsonSchema({ n: handMade } as unknown as JsonSchema, "input", "n"), DefinitionError, expected);
  for (const nothing of ["text", 5, true, z.string, [z.string()]]) {
    assertThrows(
      () => toJsonSchema(nothing as unknown as JsonSchema, "input", "n"),
      DefinitionError,
      "must describe an",
    );
  }
});

Deno.test("a missing schema is refused, and the error shows one that accepts anything", () => {
  for (const none of [undefined, null]) {
    assertThrows(() => toJsonSchema(none as unknown as JsonSchema, "input", "none"), DefinitionError, "any object");
  }
});

Deno.test("plain JSON Schema of draft 7 is validated as that draft says", async () => {
  const draft7: JsonSchema = {
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { pair: { type: "array", items: [{ type: "string" }, { type: "number" }] } },
  };
  assertEquals(await validate(draft7, { pair: ["a", 1] }, "it"), { pair: ["a", 1] });
  assertEquals(await pathsOf(draft7, { pair: ["a", "b"] }), ["pair[1]"]);
});

Deno.test("a valid value resolves with what the schema returns", async () => {
  assertEquals(await validate(zodUser, { name: "Ada" }, "it"), { name: "Ada", tags: [] });
  assertEquals(await validate(plainUser, { name: "Ada" }, "it"), { name: "Ada" });
  assertEquals(await validate(handMade, { n: 1, more: 2 }, "it"), { n: 1 });
});

Deno.test("every wrong field is named, however deep it is", async () => {
  const wrong = { tags: [{ id: 1 }, { id: "2" }] };
  assertEquals((await pathsOf(zodUser, wrong)).toSorted(), ["name", "tags[1].id"]);
  assertEquals((await pathsOf(plainUser, wrong)).toSorted(), ["name", "tags[1].id"]);
  assertEquals(await pathsOf(handMade, {}), ["list[0].n"]);
});

Deno.test("an error says of plain JSON Schema which field is missing or not allowed, and which values are", async () => {
  const properties = { action: { enum: ["start", "check"] }, kind: { const: 1 } };
  const schema = { type: "object", properties, required: ["token"], additionalProperties: false };
  const { issues } = await refusal(schema, { action: "stop", kind: 2, more: 1 });
  assertEquals(issues.toSorted((a, b) => a.path.localeCompare(b.path)), [
    { path: "action", message: 'must be one of "start", "check"' },
    { path: "kind", message: "must be 1" },
    { path: "more", message: "is not allowed here, only action, kind" },
    { path: "token", message: "is missing" },
  ]);
});

Deno.test("an error names the first 20 mistakes, and counts the others", async () => {
  const wrong = { tags: Array(50).fill({ id: "no number" }) };
  for (const schema of [zodUser, plainUser]) {
    const error = await refusal(schema, { name: "Ada", ...wrong });
    assertEquals(error.issues.map(({ path }) => path), Array.from({ length: 20 }, (_, at) => `tags[${at}].id`));
    assertStringIncludes(error.message, "; and 30 more");
  }
});

Deno.test("for a large value that does not fit plain JSON Schema, validation stops at the first mistake", async () => {
  let looked = 0;
  const tags = Array.from({ length: 2_000 }, () => ({
    get id() {
      looked++;
      return "no number";
    },
  }));
  const error = await refusal(plainUser, { name: "Ada", tags });
  assertEquals([error.issues, looked <= 10], [[{ path: "tags[0].id", message: "must be number" }], true]);
  assertStringIncludes(error.message, "; only the first mistake is named");
});

Deno.test("for a plain JSON Schema that refers to itself, validation stops at the first mistake: each level could double the time", async () => {
  const choice = (kind: string): JsonSchema => ({
    type: "object",
    properties: { kind: { const: kind }, of: { type: "array", items: { $ref: "#/$defs/filter" } } },
  });
  const schemas: readonly JsonSchema[] = [
    { $defs: { filter: { oneOf: [choice("and"), choice("or")] } } },
    { $defs: { filter: { $ref: "#/$defs/other" }, other: { oneOf: [choice("and"), choice("or")] } } },
    { $defs: { filter: { $ref: "#f" }, other: { $anchor: "f", oneOf: [choice("and"), choice("or")] } } },
  ];
  for (const schema of schemas) {
    let looked = 0;
    let value: unknown = {
      get kind() {
        if (++looked > 1_000) throw new Error("Every choice was followed.");
        return "nor";
      },
    };
    for (let level = 0; level < 60; level++) value = { kind: "or", of: [value] };
    const properties = { filter: { $ref: "#/$defs/filter" } };
    const { issues, message } = await refusal({ type: "object", properties, ...schema }, { filter: value });
    assertEquals([issues.length > 0, message.endsWith("only the first mistake is named")], [true, true]);
  }
  // A schema that refers to another one twice is not recursive.
  const pair: JsonSchema = {
    type: "object",
    $defs: { n: { type: "number" } },
    properties: { a: { $ref: "#/$defs/n" }, b: { $ref: "#/$defs/n" } },
  };
  assertEquals(await pathsOf(pair, { a: "", b: "" }), ["a", "b"]);
});

Deno.test("long names of fields make no long error", async () => {
  const long = "x".repeat(100_000);
  for (const schema of [z.strictObject({ name: z.string() }), plainUser]) {
    const { message } = await refusal(schema, { name: "Ada", [long]: 1, [`${long}2`]: 2 });
    assert(message.length < 1_500, `${message.length} characters`);
    assertStringIncludes(message, "xxx…");
  }
});

Deno.test("plain JSON Schema: a missing, an extra and a wrong field are each named", async () => {
  assertEquals(await pathsOf(plainUser, { name: "Ada", age: 3 }), ["age"]);
  assertEquals(await pathsOf(plainUser, { name: "Ada", mail: "nowhere" }), ["mail"]);
  assertEquals(await pathsOf(plainUser, { name: "Ada", tags: [{}] }), ["tags[0].id"]);
  assertEquals(await pathsOf(plainUser, { name: "Ada", "odd/~key": 1 }), ["odd/~key"]);
  assertEquals(await pathsOf(plainUser, "no object"), [""]);
});

Deno.test("a field named __proto__ counts as an extra field like any other", async () => {
  assertEquals(await pathsOf(plainUser, JSON.parse('{"name":"Ada","__proto__":1}')), ["__proto__"]);
  assertEquals(await pathsOf(z.strictObject({}), JSON.parse('{"constructor":1}')), [""]);
});

Deno.test("an invalid JSON Schema is a DefinitionError, and does not affect other schemas", async () => {
  for (const $schema of ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"]) {
    const parts: readonly JsonSchema[] = [{ type: "nonsense" }, { pattern: "(" }, { required: ["a", "a"] }];
    for (const n of parts) {
      const wrong: JsonSchema = { $schema, type: "object", properties: { n } };
      await assertRejects(
        () => validate(wrong, {}, "input for odd"),
        DefinitionError,
        "input for odd",
      );
      assertEquals(await pathsOf({ $schema, ...plainUser }, { name: 1 }), ["name"]);
    }
  }
});

Deno.test("two schemas with the same $id are independent", async () => {
  const schemaOf = (type: string) => ({ $id: "https://example.com/n", type: "object", properties: { n: { type } } });
  assertEquals(await pathsOf(schemaOf("string"), { n: 1 }), ["n"]);
  assertEquals(await pathsOf(schemaOf("number"), { n: "" }), ["n"]);
});
