import { defineJob, OperationResourceStrategy } from "../../../mod.ts";
import { newTaskId } from "../../../backend.ts";
import { ResultPartNotFound } from "../../../strategy.ts";
import { assert, assertEquals, assertRejects } from "../../../tools/std.ts";
import { Bench, endless, ME, report, start } from "../support.ts";
import { pause } from "../../../src/waiting.ts";

Deno.test("the latest result of a job is that of the owner's newest completed task, with its parts and pages", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const other = defineJob({ name: "other", input: { type: "object" }, run: () => "of another job" });
  const surface = bench.exposeAll(report, endless, other);
  await bench.work(report, endless, other);
  const latest = surface.templates.find(({ uriTemplate }) => uriTemplate === "mcp://results/report/latest{?page}");
  assert(latest);
  assertEquals(surface.templates.filter(({ name }) => name.endsWith("latest result")).map(({ title }) => title), [
    "Report: latest result",
    undefined, // As its job has none.
    undefined,
  ]);
  const read = async (owner = ME, page?: string) => {
    const [content] = await latest.read({ id: "", page }, owner);
    assert(content && "text" in content);
    return [content.text, content.uri];
  };
  await assertRejects(() => read(), ResultPartNotFound, "No task of report has completed.");
  const finish = async (tool: string, input: unknown) => {
    const { id } = await start(surface, tool, input);
    await bench.until(id, ({ status }) => status === "COMPLETED" || status === "FAILED");
    return id;
  };
  await finish("report", { user: "Ada" });
  const id = await finish("report", { user: "Grace" });
  await finish("report", { user: "Joan", fail: "error" }); // Has no result.
  await start(surface, "endless", {});
  await finish("other", {});
  assertEquals(await read(), ['{"total":5}', `mcp://results/report/${id}`]);
  assertEquals((await read(ME, "1"))[0], '{"total":5}');
  await assertRejects(() => read(ME, "2"), ResultPartNotFound);
  await assertRejects(() => read("somebody else"), ResultPartNotFound, "No task of report has completed.");
  await assertRejects(() => latest.read({ id: "er" }, ME), ResultPartNotFound);
});

Deno.test("the latest result of a job is found behind hundreds of newer tasks of other jobs, an error says how far the search went, and a search ends with its readers", async () => {
  await using bench = new Bench(new OperationResourceStrategy());
  const surface = bench.exposeAll(report);
  const latest = surface.templates.find(({ uriTemplate }) => uriTemplate === "mcp://results/report/latest{?page}");
  assert(latest);
  const create = (job: string, count: number) => {
    const retry = { attempts: 1, delay: 1, maxDelay: 1 };
    const task = { job, owner: ME, input: {}, resultTtl: 60_000, retry };
    return Promise.all(Array.from({ length: count }, () => bench.backend.create({ ...task, id: newTaskId() })));
  };
  await bench.work(report);
  const { id } = await start(surface, "report", { user: "Ada" });
  await bench.until(id, ({ status }) => status === "COMPLETED");
  await create("other", 999);
  let lists = 0;
  const { list } = bench.backend;
  bench.backend.list = (...args) => {
    lists++;
    return list.apply(bench.backend, args);
  };
  const reads = [latest.read({ id: "" }, ME), latest.read({ id: "" }, ME)];
  for (const [content] of await Promise.all(reads)) assertEquals(content?.uri, `mcp://results/report/${id}`);
  assertEquals(lists, 10, "reads at the same moment share one search");

  // One of two readers goes, then both.
  const gone = new AbortController();
  lists = 0;
  const others = [latest.read({ id: "" }, ME), latest.read({ id: "" }, ME, gone.signal)] as const;
  gone.abort(new Error("The client is gone."));
  await assertRejects(() => others[1], Error, "The client is gone.");
  assertEquals((await others[0])[0]?.uri, `mcp://results/report/${id}`);
  assertEquals(lists, 10);
  await assertRejects(() => latest.read({ id: "" }, ME, gone.signal), Error, "The client is gone.");
  await pause(0);
  assertEquals(lists, 11, "nobody is left who waits for the search");

  const newer = await start(surface, "report", { user: "Grace" });
  await bench.until(newer.id, ({ status }) => status === "COMPLETED");
  lists = 0;
  assertEquals((await latest.read({ id: "" }, ME))[0]?.uri, `mcp://results/report/${newer.id}`);
  assertEquals(lists, 1, "the search ends once it has found one");

  await create("other", 1_000);
  const none = "No task of report has completed among your 1,000 newest tasks.";
  await assertRejects(async () => await latest.read({ id: "" }, ME), ResultPartNotFound, none);
});
