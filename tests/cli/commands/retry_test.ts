import { z } from "zod";
import { createWorker, defineJob, ToolError } from "../../../mod.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { add, refuse, Shop, shout } from "../support/shop.ts";

Deno.test("retry makes a new task with the same input, which names the old one", async () => {
  await using shop = new Shop();
  const task = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(task);
  const { stdout } = await shop.run(`retry ${task.id} --json`);
  const { id, retryOf } = JSON.parse(stdout);
  assertEquals(retryOf, task.id);
  assertEquals(await shop.client.wait(id), 3);
});

Deno.test("retry repeats a task once, so that it can be run again after an error, and once more with --again", async () => {
  await using shop = new Shop();
  const task = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(task);
  const first = await shop.run(`retry ${task.id}`);
  const [, id = ""] = new RegExp(`^(\\S+) repeats ${task.id}\n$`).exec(first.stdout) ?? [];
  await shop.client.wait(id);
  assertEquals((await shop.run(`retry ${task.id}`)).stdout, `${id} has already repeated ${task.id}\n`);
  const { stdout } = await shop.run(`retry ${task.id} --again`);
  assertMatch(stdout, new RegExp(`^(?!${id})\\S+ repeats ${task.id}\n$`));
});

Deno.test("retry repeats the failed tasks that its options describe, and only counts them without --yes", async () => {
  await using shop = new Shop();
  const tasks = [await shop.client.start(refuse, {}), await shop.client.start(shout, {})];
  await Promise.allSettled([...tasks.map((task) => shop.client.wait(task)), shop.client.start(add, { a: 1, b: 2 })]);
  const { code, stdout, stderr } = await shop.run("retry --since 1h");
  assertEquals([code, stdout], [2, ""]);
  assertStringIncludes(stderr, "2 tasks match. Pass --yes to go on.");
  const repeated = (await shop.run("retry --since 1h --message declined --yes")).stdout;
  assertMatch(repeated, new RegExp(`^\\S+ repeats ${tasks[0]?.id}\n$`));
});

/** Runs `retry` for all tasks with a status. Resolves with the tasks that it has created, once they have ended. */
async function repeatAll(shop: Shop, status: string): Promise<readonly { readonly id: string; readonly of: string }[]> {
  const { stdout } = await shop.run(`retry --status ${status} --yes`);
  const created = [...stdout.matchAll(/^(\S+) repeats (\S+)$/gm)].map(([, id = "", of = ""]) => ({ id, of }));
  await Promise.allSettled(created.map(({ id }) => shop.client.wait(id)));
  return created;
}

Deno.test("retry --status completed repeats a task once, also when its repeat has completed", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(id);
  const [repeat] = await repeatAll(shop, "completed");
  assertEquals(repeat?.of, id);
  assertEquals(await repeatAll(shop, "completed"), []);
});

Deno.test("retry repeats a repeat that has failed, too, and one that has completed after its original has failed", async () => {
  await using shop = new Shop({ works: false });
  let isAway = true;
  const pay = defineJob({
    name: "pay",
    input: z.object({}),
    run: (): string => {
      if (isAway) throw new ToolError("The service is away.");
      return "paid";
    },
  });
  createWorker(shop, [pay]);
  const { id } = await shop.client.start(pay, {});
  await shop.client.wait(id).catch(() => {});
  const [second] = await repeatAll(shop, "failed");
  isAway = false;
  const [third] = await repeatAll(shop, "failed");
  const [fourth] = await repeatAll(shop, "completed");
  assertEquals([second?.of, third?.of, fourth?.of], [id, second?.id, third?.id]);
});
