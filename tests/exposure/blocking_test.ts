import { BlockingExposureStrategy, DefinitionError, ToolError } from "../../mod.ts";
import { assertEquals, assertRejects, assertThrows } from "../../tools/std.ts";
import { Bench, call, endless, ME, report } from "./support.ts";

Deno.test("a blocking call returns the result, and there are no other tools", async () => {
  await using bench = new Bench(new BlockingExposureStrategy());
  const surface = bench.exposeAll(report);
  assertEquals(surface.tools.map(({ name }) => name), ["report"]);
  assertEquals(surface.tasks, undefined);
  await bench.work(report);
  assertEquals((await call(surface, "report", { user: "Ada" })).structuredContent, { total: 3 });
});

Deno.test("a task that does not end in time is cancelled, and its call says so", async () => {
  await using bench = new Bench(new BlockingExposureStrategy({ maxWait: 20 }));
  const surface = bench.exposeAll(endless);
  await bench.work(endless);
  const text = "endless did not end within 0.02 s, and was cancelled.";
  await assertRejects(() => call(surface, "endless", {}), ToolError, text);
  const { tasks } = await bench.tasks.list(ME);
  assertEquals(tasks.map(({ status }) => status), ["CANCELLED"]);
});

Deno.test("an invalid maxWait is refused", () => {
  for (const maxWait of [0, -1, Number.NaN]) {
    assertThrows(() => new BlockingExposureStrategy({ maxWait }), DefinitionError, "maxWait");
  }
});
