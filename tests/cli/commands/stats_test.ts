import { createWorker } from "../../../mod.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { add, naps, refuse, Shop } from "../support/shop.ts";

Deno.test("stats without any task asks whether this is the right place: Redis has no error for another prefix", async () => {
  await using shop = new Shop({ works: false });
  const { code, stdout, stderr } = await shop.run("stats");
  assertEquals([code, stdout], [0, ""]);
  assertEquals(stderr, "There are no tasks. Is this the store of the servers, with their --prefix or --schema?\n");
});

Deno.test("stats leaves out what no job has on a narrow terminal, before what one has", async () => {
  await using shop = new Shop({ works: false });
  createWorker(shop, [naps]);
  const { id } = await shop.client.start(naps, {});
  await until(async () => "parked" in await shop.client.get(id), "the task is parked");
  const { stdout, stderr } = await shop.run("stats", { terminal: { columns: 60, rows: 20 } });
  assertMatch(stdout, /^JOB +PENDING +RUNNING +PARKED +COMPLETED +FAILED +OLDEST$/m);
  assertEquals(stderr, "This terminal is too narrow for RETRYING, ASKING, CANCELLED.\n");
});

Deno.test("stats says which jobs have tasks that could run, but no worker", async () => {
  await using shop = new Shop({ works: false });
  await shop.client.start(add, { a: 1, b: 2 });
  const cancelled = await shop.client.start(refuse, {});
  await shop.client.cancel(cancelled.id);
  const lines = (await shop.run("stats")).stdout.trimEnd().split("\n");
  assertEquals(lines.map((line) => line.endsWith("no worker")), [false, true, false]);
  await shop.run("pause add");
  assertMatch((await shop.run("stats")).stdout, /^add +1 +0.* paused, no worker$/m);
  createWorker(shop, [add]);
  assertMatch((await shop.run("stats")).stdout, /^add +1 +0.* paused$/m);
  assertEquals(JSON.parse((await shop.run("stats --json")).stdout).map((job: object) => "hasWorker" in job), [
    true,
    false,
  ]);
});
