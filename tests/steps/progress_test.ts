import { progressOf } from "../../src/steps/progress.ts";
import { assertEquals } from "../../tools/std.ts";

Deno.test("the error for a progress that is no number from 0 to 1 shows what was passed, but no text", async () => {
  const shown = { "-0.5": -0.5, "50": 50, NaN, string: "secret", undefined, object: {} };
  for (const [expected, given] of Object.entries(shown)) {
    const errors: string[] = [];
    const progress = progressOf({ id: "id", job: "job" }, { report: () => Promise.resolve() }, (error) => {
      errors.push(String(error).split(" is reported as ")[0] ?? "");
    });
    await Reflect.apply(progress, undefined, [given]);
    assertEquals(errors, [`DefinitionError: ctx.progress(${expected})`]);
  }
});
