import { assertEquals, assertThrows } from "../../tools/std.ts";
import { z } from "zod";
import { defineJob, DefinitionError } from "../../mod.ts";
import { ToolRegistry } from "../../strategy.ts";
import { withoutAsked } from "../../src/questions/input_fields.ts";

const invite = defineJob({
  name: "invite",
  input: z.object({ name: z.string(), count: z.int().min(1), note: z.string().optional() }),
});

Deno.test("a field in askFor becomes a question, and is no longer required of the model", () => {
  const { askFor } = new ToolRegistry().register(invite, { askFor: { count: "How many guests?" } });
  const [question, ...others] = askFor;
  assertEquals(others, []);
  assertEquals([question?.key, question?.message, question?.schema.required], ["count", "How many guests?", ["count"]]);
  assertEquals(Object.keys(question?.schema.properties ?? {}), ["count"]);
  assertEquals(withoutAsked(invite.inputSchema, askFor).required, ["name"]);
});

Deno.test("askFor refuses a field that the input does not have", () => {
  for (const field of ["nmae", "constructor"]) {
    const registry = new ToolRegistry();
    assertThrows(() => registry.register(invite, { askFor: { [field]: "?" } }), DefinitionError, field);
  }
});
