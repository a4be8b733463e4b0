import { z } from "zod";
import { assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { DefinitionError, InvalidInput } from "../../src/errors.ts";
import { textsUnder } from "../../src/schema/texts.ts";
import type { JsonSchema } from "../../src/schema/json_schema.ts";
import { checkSchema, type Schema, validate } from "../../src/schema/schema.ts";

/** Slow on long texts, and an ordinary pattern otherwise. */
const SLOW = "^.*\\S.*$";
const LONG = "x".repeat(2_001);

async function mistakeOf(schema: Schema, value: unknown): Promise<string> {
  const { issues } = await assertRejects(() => validate(schema, value, "input for test"), InvalidInput);
  return issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
}

const inObject = (name: string, schema: JsonSchema): JsonSchema => ({ type: "object", properties: { [name]: schema } });

Deno.test("a schema with a pattern that takes exponential time is refused when it is checked, and the error names the pattern", async () => {
  const bad: readonly Schema[] = [
    z.object({ name: z.string().regex(/^(a+)+$/) }),
    z.object({ list: z.array(z.object({ deep: z.string().regex(/^(a|aa)+$/).optional() })) }),
    inObject("name", { type: "string", pattern: "^(a+)+$" }),
    { type: "object", patternProperties: { "^(a+)+$": {} } },
    { type: "object", $defs: { name: { pattern: "^(a|a)*$" } }, properties: { name: { $ref: "#/$defs/name" } } },
  ];
  for (const schema of bad) {
    const error = await assertRejects(() => checkSchema(schema, "input for test"), DefinitionError, "exponential time");
    assertStringIncludes(error.message, 'Cannot use the schema of the input for test: the pattern "^(a');
  }
});

Deno.test("a text for a slow pattern may have at most 2,000 characters, wherever it is in the value", async () => {
  const schemas: readonly [value: unknown, path: string, schema: Schema][] = [
    [{ name: LONG }, "name", z.object({ name: z.string().regex(/^.*\S.*$/) })],
    [{ name: LONG }, "name", inObject("name", { type: "string", pattern: SLOW })],
    [{ names: ["a", LONG] }, "names[1]", z.object({ names: z.array(z.string().regex(/^.*\S.*$/)) })],
    [{ name: LONG }, "name", inObject("name", { anyOf: [{ type: "string" }, { pattern: SLOW }] })],
    [{ name: LONG }, "name", {
      type: "object",
      $defs: { n: { pattern: SLOW } },
      properties: { name: { $ref: "#/$defs/n" } },
    }],
    [{ name: LONG }, "name", { type: "object", additionalProperties: { pattern: SLOW } }],
    [{ name: [1, LONG] }, "name[1]", inObject("name", { prefixItems: [{}, { pattern: SLOW }] })],
    [{ name: [LONG] }, "name[0]", inObject("name", { contains: { pattern: SLOW } })],
    [{ name: LONG }, "name", inObject("name", { type: "string", format: "url" })],
    [{ [LONG]: 1 }, `${"x".repeat(200)}…`, { type: "object", patternProperties: { [SLOW]: {} } }],
    [{ [LONG]: 1 }, `${"x".repeat(200)}…`, { type: "object", propertyNames: { pattern: SLOW } }],
    [{ name: LONG }, "name", {
      type: "object",
      $defs: { n: { $anchor: "n", pattern: SLOW } },
      properties: { name: { $ref: "#n" } },
    }],
    [{ name: LONG }, "name", {
      type: "object",
      $defs: { n: { $dynamicAnchor: "n", pattern: SLOW } },
      properties: { name: { $dynamicRef: "#n" } },
    }],
  ];
  for (const [value, path, schema] of schemas) {
    assertStringIncludes(await mistakeOf(schema, value), `${path}: must NOT have more than 2000 characters`);
  }
});

Deno.test("the slower a pattern, the shorter a text for it may be: no text keeps the process busy for long", async () => {
  const hostile = `${"a".repeat(2_000)}!`;
  const patterns = {
    "^\\w*\\s?\\w*\\s?\\w*$": 464,
    "^\\w*\\s?\\w*\\s?\\w*\\s?\\w*$": 100,
    "^(\\w+\\s?){1,5}$": 39,
    "^(\\w{1,30}\\s?){1,4}$": 100,
    "^(?:[\\w-]{1,40}[ /]?){1,5}$": 39,
  };
  for (const [pattern, most] of Object.entries(patterns)) {
    const schemas = [
      inObject("name", { type: "string", pattern }),
      z.object({ name: z.string().regex(RegExp(pattern)) }),
    ];
    for (const schema of schemas) {
      assertStringIncludes(await mistakeOf(schema, { name: hostile }), `must NOT have more than ${most} characters`);
      assertStringIncludes(await mistakeOf(schema, { name: hostile.slice(-most) }), "name: ");
      assertEquals(await validate(schema, { name: "Ada King" }, "input for test"), { name: "Ada King" });
    }
  }
});

Deno.test("a schema with a pattern that a text of 40 characters could keep busy for seconds is refused when it is checked", async () => {
  for (const pattern of ["^(\\w{1,30}\\s?){1,10}$", "^(\\w{1,50}\\s?){1,60}$", "^(\\w+\\s?){1,10}$", "(.*?,){20}P"]) {
    const schema = inObject("name", { type: "string", pattern });
    await assertRejects(
      () => checkSchema(schema, "input for test"),
      DefinitionError,
      "a short text could stop the process",
    );
  }
});

Deno.test("all texts of one value for slow patterns may cost at most 100 million steps together", async () => {
  const schema = z.object({ names: z.array(z.string().regex(/^.*\S.*$/)) });
  await validate(schema, { names: Array(25).fill("x".repeat(2_000)) }, "input for test");
  assertStringIncludes(await mistakeOf(schema, { names: Array(26).fill("x".repeat(2_000)) }), "too much text");
  const slower = inObject("names", { items: { type: "string", pattern: "^(\\w+\\s?){1,5}$" } });
  await validate(slower, { names: Array(30).fill("x".repeat(20)) }, "input for test");
  assertStringIncludes(await mistakeOf(slower, { names: Array(40).fill("x".repeat(20)) }), "too much text");
});

Deno.test("a long text is valid beside a slow pattern, and under a fast one", async () => {
  const text = "x".repeat(1_000_000);
  const schema = z.object({ name: z.string().regex(/^.*\S.*$/), text: z.string(), code: z.string().regex(/^[a-z]*$/) });
  assertEquals(await validate(schema, { name: "n", text, code: text }, "input for test"), {
    name: "n",
    text,
    code: text,
  });
});

Deno.test("a schema that refers to itself is followed as deep as the value goes", async () => {
  const tree: JsonSchema = {
    type: "object",
    properties: { name: { pattern: SLOW }, children: { type: "array", items: { $ref: "#" } } },
  };
  const loop: JsonSchema = {
    type: "object",
    properties: { name: { pattern: SLOW }, self: { $ref: "#/properties/self" } },
  };
  assertStringIncludes(
    await mistakeOf(tree, { children: [{ children: [{ name: LONG }] }] }),
    "children[0].children[0].name: must NOT",
  );
  assertEquals([...textsUnder(loop, { self: { self: 1 } })], []);
});

Deno.test("each text counts once for each pattern, however many choices of a recursive schema lead to it", () => {
  const choice = (kind: string): JsonSchema => ({
    properties: { kind: { const: kind }, of: { type: "array", items: { $ref: "#" } } },
    additionalProperties: { $ref: "#" },
  });
  const schema: JsonSchema = { type: "object", anyOf: [choice("and"), choice("or"), { pattern: SLOW }] };
  let value: unknown = "text";
  for (let level = 0; level < 100; level++) value = { kind: "or", of: [value], not: "text" };
  let texts = 0;
  for (const _ of textsUnder(schema, value)) if (++texts > 1_000) throw new Error("Every way counts.");
  assertEquals(texts, 201);
});

Deno.test("uniqueItems checks a list of 200,000 items of any type in one pass", async () => {
  const schema = inObject("list", { type: "array", uniqueItems: true });
  const list = Array.from({ length: 200_000 }, (_, index) => ({ index, odd: index % 2 === 1 }));
  await validate(schema, { list }, "input for test");
  const twice = [...list, { odd: true, index: 1 }];
  assertEquals(await mistakeOf(schema, { list: twice }), "list: must NOT have duplicate items");
});

Deno.test("uniqueItems compares values as JSON Schema does", async () => {
  const schema = inObject("list", { type: "array", uniqueItems: true });
  const equal: readonly (readonly unknown[])[] = [[1, 1.0], [0, -0], ["a", "a"], [null, null], [[], []], [{}, {}], [{
    a: 1,
    b: 2,
  }, { b: 2, a: 1 }]];
  const different: readonly (readonly unknown[])[] = [[1, "1"], [1, true], [0, false], [null, "null"], [[], {}], [{
    a: 1,
  }, [["a", 1]]], [{ a: 1 }, { a: 1, b: 1 }]];
  for (const list of equal) assertStringIncludes(await mistakeOf(schema, { list }), "duplicate items");
  for (const list of different) await validate(schema, { list }, "input for test");
});

Deno.test("a text that is too long for a pattern to be matched at all is refused, and says so", async () => {
  const pattern = "^((?!foo).)*$";
  const text = "a".repeat(16_000_000);
  const plain = { type: "object", properties: { text: { type: "string", pattern } } };
  const schemas = [plain, z.object({ text: z.string().regex(new RegExp(pattern)) })];
  for (const schema of schemas) {
    assertEquals(await validate(schema, { text: "short" }, "input for search"), { text: "short" });
    await assertRejects(
      () => validate(schema, { text }, "input for search"),
      InvalidInput,
      "it is too long, or nested too deeply, to be checked",
    );
  }
});
