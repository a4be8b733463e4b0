import { assert, assertEquals, assertRejects } from "../../tools/std.ts";
import { DefinitionError } from "../../src/errors.ts";
import { checkOf, type JsonSchema } from "../../src/schema/json_schema.ts";

/** A schema as a store returns it: each time another object. */
function schemaOf(type: string): JsonSchema {
  return { type: "object", properties: { reason: { type } } };
}

Deno.test("equal schemas share one check, as the questions of many tasks do", async () => {
  const check = await checkOf(schemaOf("string"), "answer to one");
  assert(check === await checkOf(schemaOf("string"), "answer to another"));
  assert(check !== await checkOf(schemaOf("number"), "answer to one"));
});

Deno.test("a schema that was refused is refused again, and each error names its own place", async () => {
  for (const what of ["answer to one", "answer to another"]) {
    await assertRejects(() => checkOf(schemaOf("nonsense"), what), DefinitionError, what);
  }
});

Deno.test("a shared check is that of the schema as it was, even if somebody changes their own later", async () => {
  const mine = { type: "object", required: ["a"] };
  await checkOf(mine, "input of mine");
  mine.required[0] = "b";
  const check = await checkOf({ type: "object", required: ["a"] }, "input of another");
  assertEquals(check({})?.mistakes.map(({ path }) => path), [["a"]]);
});
