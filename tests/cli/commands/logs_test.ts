import type { TaskEvent } from "../../../backend.ts";
import { createWorker } from "../../../mod.ts";
import { assertEquals, assertMatch } from "../../../tools/std.ts";
import { add, Shop, talk } from "../support/shop.ts";

Deno.test("logs shows what a job has logged, and follows it until the task has ended", async () => {
  await using shop = new Shop({ works: false });
  const task = await shop.client.start(talk, {});
  const subscribed = Promise.withResolvers<void>();
  const { watch } = shop;
  shop.watch = (...args) => {
    subscribed.resolve();
    return watch.apply(shop, args);
  };
  const following = shop.run(`logs ${task.id} --follow`);
  await subscribed.promise;
  createWorker(shop, [add]);
  await shop.client.wait(await shop.client.start(add, { a: 1, b: 2 })); // The end of another task ends nothing.
  createWorker(shop, [talk]);
  const lines = (await following).stdout.trimEnd().split("\n");
  assertMatch(lines[0] ?? "", /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d warning {3}running$/);
  assertEquals(lines[1], "low \\u001b[31m");
  assertMatch(lines[2] ?? "", / info {6}done$/);
  assertEquals(lines.length, 3);
  const kept = (await shop.run(`logs ${task.id} --json`)).stdout.trimEnd().split("\n");
  assertEquals(kept.map((line) => JSON.parse(line).level), ["warning", "info"]);
});

Deno.test("logs says that a task has logged nothing", async () => {
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(talk, {});
  assertEquals(await shop.run(`logs ${id}`), { code: 0, stdout: "", stderr: "The task has logged nothing.\n" });
});

Deno.test("logs --follow ends with a task that has ended before, when it is interrupted, and after a gap that has hidden the end", async () => {
  await using shop = new Shop({ works: false });
  const ended = await shop.client.start(talk, {});
  const open = await shop.client.start(add, { a: 1, b: 2 });
  const hidden = await shop.client.start(talk, {});
  const listeners: ((event: TaskEvent) => void)[] = [];
  let subscribed = Promise.withResolvers<void>();
  let left = 0;
  shop.watch = (listener) => {
    listeners.push(listener);
    subscribed.resolve();
    return () => left++;
  };
  const interrupt = new AbortController();
  const interrupted = shop.run(`logs ${open.id} --follow`, { signal: interrupt.signal });
  await subscribed.promise;
  subscribed = Promise.withResolvers();
  const following = shop.run(`logs ${hidden.id} --follow`);
  await subscribed.promise;
  interrupt.abort();
  assertEquals(await interrupted, { code: 0, stdout: "", stderr: "" });
  createWorker(shop, [talk]);
  for (const task of [ended, hidden]) await shop.client.wait(task);
  for (const listener of listeners) listener({ kind: "gap" });
  assertMatch((await following).stdout, / info {6}done$/m);
  assertMatch((await shop.run(`logs ${ended.id} --follow`)).stdout, / info {6}done$/m);
  assertEquals([listeners.length, left], [3, 3]);
});
