import { z } from "zod";
import { barsOf } from "../../../src/cli/commands/watch.ts";
import { createClient, createWorker, defineJob, type TaskInfo } from "../../../mod.ts";
import { assert, assertEquals, assertMatch } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { add, refuse, Shop, shout } from "../support/shop.ts";

Deno.test("tasks lists the tasks of all owners, and filters them", async () => {
  await using shop = new Shop({ works: false });
  using bob = createClient(shop, { owner: "bob" });
  const ann = await shop.client.start(add, { a: 1, b: 2 });
  const other = await bob.start(refuse, {});
  const { code, stdout } = await shop.run("tasks");
  assertEquals(code, 0);
  const [titles = "", ...rows] = stdout.trimEnd().split("\n");
  assertMatch(titles, /^ID +JOB +STATUS +DONE +TRY +CREATED +OWNER +MESSAGE$/);
  assertEquals(rows.map((row) => row.split(" ")[0]), [other.id, ann.id]);
  const mine: unknown = JSON.parse((await shop.run("tasks --owner ann --status pending --since 1h --json")).stdout);
  assertEquals((mine as { id: string }[]).map(({ id }) => id), [ann.id]);
});

Deno.test("tasks shows why a task has failed on a terminal of 80 columns, and leaves out less important columns", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(refuse, {});
  await shop.client.wait(id).catch(() => {});
  const { stdout, stderr } = await shop.run("tasks", { terminal: { columns: 80, rows: 20 } });
  assertMatch(stdout, new RegExp(`^${id}  refuse  FAILED +1  The card .*…$`, "m"));
  assertEquals(stderr, "This terminal is too narrow for CREATED, OWNER.\n");
});

Deno.test("the cursor of the next page is written to stderr, so that stdout has only the tasks", async () => {
  await using shop = new Shop({ works: false });
  for (let a = 0; a < 3; a++) await shop.client.start(add, { a, b: 0 });
  const { stdout, stderr } = await shop.run("tasks --limit 2 --json");
  assertEquals(JSON.parse(stdout).length, 2);
  const [, cursor] = /--cursor (\S+)/.exec(stderr) ?? [];
  assertEquals(JSON.parse((await shop.run(`tasks --json --cursor ${cursor}`)).stdout).length, 1);
});

Deno.test("tasks lists those whose message has a text", async () => {
  await using shop = new Shop();
  const bad = [await shop.client.start(refuse, {}), await shop.client.start(shout, {})];
  await Promise.allSettled(bad.map((task) => shop.client.wait(task)));
  const found = JSON.parse((await shop.run("tasks --message card --json")).stdout);
  assertEquals(found.map(({ id }: TaskInfo) => id), [bad[0]?.id]);
});

Deno.test("tasks and watch show what a task asks, above what it has done before, and --message finds it", async () => {
  await using shop = new Shop({ works: false });
  const ask = defineJob({
    name: "ask",
    input: z.object({}),
    parkAfter: 0,
    run: async (_, { elicit, progress }) => {
      await progress(0.5, "adding up");
      const schema = z.object({ yes: z.boolean() });
      await elicit.all([{ message: "Refund\n5 EUR?", schema, expiresIn: 3_600_000 }, { message: "Sure?", schema }]);
    },
  });
  createWorker(shop, [ask]);
  const { id } = await shop.client.start(ask, {});
  await until(async () => "parked" in await shop.client.get(id), "the task is parked");
  assertMatch((await shop.run("tasks")).stdout, /asks: Refund\\u000a5 EUR\?; Sure\?$/m);
  for (const [text, found] of [["Sure", 1], ["adding", 1], ["asks", 0]]) {
    assertEquals(JSON.parse((await shop.run(`tasks --message ${text} --json`)).stdout).length, found, `${text}`);
  }
  const [bar] = barsOf([await shop.client.get(id)], 200);
  assertMatch(bar ?? "", /asks: Refund\\u000a5 EUR\?; Sure\?$/);
  const { stdout } = await shop.run(`show ${id}`);
  assertMatch(stdout, /^message +adding up$/m);
  assertMatch(stdout, /^asks +Refund\\u000a5 EUR\? \(until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\)\nasks +Sure\?$/m);
  assert(!/^due/m.test(stdout), stdout);
});

Deno.test("a list without tasks writes a sentence to stderr, and with --json an empty array to stdout", async () => {
  await using shop = new Shop({ works: false });
  assertEquals(await shop.run("tasks"), { code: 0, stdout: "", stderr: "There is no such task.\n" });
  assertEquals((await shop.run("tasks --json")).stdout, "[]\n");
});
