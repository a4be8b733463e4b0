import { createWorker } from "../../../mod.ts";
import { assert, assertEquals, assertMatch } from "../../../tools/std.ts";
import { add, Shop, talk } from "../support/shop.ts";

Deno.test("pause and resume stop and continue a job, and stats shows it", async () => {
  await using shop = new Shop();
  assertEquals((await shop.run("pause add")).stdout, "add is paused\n");
  assertEquals(JSON.parse((await shop.run("pause add --json")).stdout), { job: "add", paused: true });
  const task = await shop.client.start(add, { a: 1, b: 2 });
  assertMatch((await shop.run("stats")).stdout, /^add +1 +0.* paused$/m);
  assertEquals(JSON.parse((await shop.run("resume add --json")).stdout), { job: "add", paused: false });
  assertEquals(await shop.client.wait(task), 3);
  assert(!(await shop.run("stats")).stdout.includes("paused"));
  assertEquals(await shop.run("resume add"), { code: 0, stdout: "add is not paused\n", stderr: "" });
});

Deno.test("an unknown job can be paused, and the output asks whether the name is right", async () => {
  await using shop = new Shop({ works: false });
  await shop.client.start(add, { a: 1, b: 2 });
  assertEquals(await shop.run("pause addd"), {
    code: 0,
    stdout: "addd is paused\n",
    stderr: "No task and no worker of addd is there now. Is this its name?\n",
  });
  createWorker(shop, [talk]);
  for (const job of ["add", "talk"]) assertEquals((await shop.run(`pause ${job}`)).stderr, "", job);
});

Deno.test("pause says which queues it has paused with all that is in them", async () => {
  await using shop = new Shop();
  const { operator } = shop;
  Object.defineProperty(shop, "operator", { value: { ...operator, pause: () => Promise.resolve(["images"]) } });
  const { stdout, stderr } = await shop.run("pause add");
  assertEquals(stderr, "The whole queue images is paused: its other jobs wait, too.\n");
  assertEquals(stdout, "add is paused\n");
  assertEquals(JSON.parse((await shop.run("pause add --json")).stdout).queues, ["images"]);
});
