import { z } from "zod";
import {
  BackendError,
  BlockingExposureStrategy,
  defineJob,
  DefinitionError,
  MemoryBackend,
  ToolError,
} from "../../mod.ts";
import { type FinishedTask, isFinished, type TaskInfo } from "../../src/task.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../tools/std.ts";
import { Bench, call, endless, ME, report, toolOf } from "./support.ts";

Deno.test("a blocking call returns the result, and there are no other tools", async () => {
  await using bench = new Bench(new BlockingExposureStrategy());
  const surface = bench.exposeAll(report);
  assertEquals(surface.tools.map(({ name }) => name), ["report"]);
  assertEquals([surface.tasks, surface.templates.length], [undefined, 3]);
  await bench.work(report);
  const seen: string[] = [];
  const onChange = ({ status }: TaskInfo) => seen.push(status);
  assertEquals((await call(surface, "report", { user: "Ada" }, { onChange })).structuredContent, { total: 3 });
  assert(seen.includes("RUNNING"));
});

Deno.test("a task that does not end in time is cancelled, and its call says so", async () => {
  await using bench = new Bench(new BlockingExposureStrategy({ maxWait: 20 }));
  const surface = bench.exposeAll(endless);
  await bench.work(endless);
  const text = "endless did not end within 0.02 s, and was cancelled.";
  await assertRejects(() => call(surface, "endless", {}), ToolError, text);
  const { tasks } = await bench.tasks.list(ME);
  assertEquals(tasks.map(({ status }) => status), ["CANCELLED"]);
  const reasons = bench.audited.filter(({ event }) => event === "cancelled").map(({ reason }) => reason);
  assertEquals(reasons, ["It did not end in time."]);
});

/** A store in which a task ends just before it would be cancelled, or which is then away. */
class Late extends MemoryBackend {
  readonly ending = Promise.withResolvers<void>();
  isAway = false;

  override async cancel(...which: Parameters<MemoryBackend["cancel"]>): Promise<FinishedTask> {
    if (this.isAway) throw new BackendError("The store is away.");
    const [id, owner] = which;
    const ended = Promise.withResolvers<void>();
    const stop = this.watch((event) => event.kind === "change" && isFinished(event.task) && ended.resolve());
    this.ending.resolve();
    if (!isFinished(await this.get(id, owner))) await ended.promise;
    stop();
    return await super.cancel(...which);
  }
}

Deno.test("a task that ends just as its call would cancel it is answered with its result, and only then", async () => {
  for (const isAway of [false, true]) {
    const backend = new Late();
    await using bench = new Bench(new BlockingExposureStrategy({ maxWait: 20 }), backend);
    backend.isAway = isAway;
    const slow = defineJob({ name: "slow", input: z.object({}), run: () => backend.ending.promise.then(() => "done") });
    const surface = bench.exposeAll(slow);
    await bench.work(slow);
    const answer = call(surface, "slow", {});
    if (isAway) await assertRejects(() => answer, BackendError, "The store is away.");
    else assertEquals((await answer).content, [{ type: "text", text: "done" }]);
    backend.ending.resolve();
    await bench.tasks.allClosed(); // Once the store is back, the task is left to the next call.
  }
});

Deno.test("a call waits for 60 s unless the strategy says otherwise, and its task cannot start later", async () => {
  await using bench = new Bench(new BlockingExposureStrategy());
  const { inputSchema } = toolOf(bench.expose(report, { perCall: ["startAt"] }), "report");
  assertStringIncludes(JSON.stringify(inputSchema), "at most 60 s ahead");
});

Deno.test("an invalid maxWait is refused", () => {
  for (const maxWait of [0, -1, Number.NaN]) {
    assertThrows(() => new BlockingExposureStrategy({ maxWait }), DefinitionError, "maxWait");
  }
});
