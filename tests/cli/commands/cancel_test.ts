import { BackendError, createClient, createWorker } from "../../../mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { add, endless, Shop, talk } from "../support/shop.ts";

Deno.test("cancel stops tasks, also if one of them cannot be cancelled", async () => {
  await using shop = new Shop();
  const task = await shop.client.start(endless, {});
  const { code, stdout, stderr } = await shop.run(`cancel nothing ${task.id}`);
  assertEquals(code, 1);
  assertMatch(stdout, new RegExp(`^${task.id} is CANCELLED`));
  assertStringIncludes(stderr, "nothing");
  const { id } = await shop.client.start(endless, {});
  const twice = await shop.run(`cancel ${id} ${id}`);
  assertEquals([twice.code, twice.stderr, twice.stdout.split(id).length], [0, "", 2]);
});

Deno.test("cancel stops the unfinished tasks that its options describe, however many pages they are", async () => {
  await using shop = new Shop({ works: false });
  using bob = createClient(shop, { owner: "bob" });
  const other = await bob.start(add, { a: 0, b: 0 });
  await Promise.all(Array.from({ length: 1_001 }, (_, a) => shop.client.start(add, { a, b: 0 })));
  assertStringIncludes((await shop.run("cancel --owner ann")).stderr, "1001 tasks match.");
  const { code, stdout } = await shop.run("cancel --job add --owner ann --status pending --yes");
  assertEquals(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assertEquals(new Set(lines).size, 1_001);
  assert(lines.every((line) => line.endsWith(" is CANCELLED, its code: never started")));
  assertEquals((await bob.get(other.id)).status, "PENDING");
  assertEquals(JSON.parse((await shop.run("tasks --status cancelled --limit 2000 --json")).stdout).length, 1_001);
  assertEquals(await shop.run("cancel --owner ann --yes"), { code: 0, stdout: "", stderr: "There is no such task.\n" });
});

/** Lets something happen after tasks are listed for the first time, before their reader gets them. */
function afterList(shop: Shop, happen: () => Promise<unknown>): void {
  const { operator } = shop;
  let happened: Promise<unknown> | undefined;
  const tasks: typeof operator.tasks = async (filter) => {
    const page = await operator.tasks(filter);
    await (happened ??= happen());
    return page;
  };
  Object.defineProperty(shop, "operator", { value: { ...operator, tasks } });
}

Deno.test("cancel --status leaves tasks alone that have another status by their turn, and ends with 0", async () => {
  await using shop = new Shop({ works: false });
  const [begun, ended] = [await shop.client.start(endless, {}), await shop.client.start(add, { a: 1, b: 2 })];
  const waiting = await shop.client.start(talk, {});
  afterList(shop, async () => {
    createWorker(shop, [endless, add]);
    await shop.client.wait(ended);
    await until(async () => (await shop.client.get(begun.id)).status === "RUNNING", "it runs");
  });
  assertEquals(await shop.run("cancel --status pending --yes"), {
    code: 0,
    stdout: `${waiting.id} is CANCELLED, its code: never started\n`,
    stderr: "2 tasks had another status by their turn, and were left alone.\n",
  });
  assertEquals((await shop.client.get(begun.id)).status, "RUNNING");
});

Deno.test("cancel takes it for no error if a task that its options describe has ended by its turn", async () => {
  await using shop = new Shop({ works: false });
  const [ended, waiting] = [await shop.client.start(add, { a: 1, b: 2 }), await shop.client.start(endless, {})];
  afterList(shop, async () => {
    createWorker(shop, [add]);
    await shop.client.wait(ended);
  });
  assertEquals(await shop.run("cancel --owner ann --yes"), {
    code: 0,
    stdout: `${waiting.id} is CANCELLED, its code: never started\n`,
    stderr: "1 task had another status by its turn, and was left alone.\n",
  });
});

Deno.test("cancel ends with 1 if a task that is named has ended, and if one that its options describe fails otherwise", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(await shop.client.get(id));
  const named = await shop.run(`cancel ${id}`);
  assertEquals([named.code, named.stdout], [1, ""]);
  assertStringIncludes(named.stderr, "COMPLETED");
  await shop.client.start(endless, {});
  const cancel = () => Promise.reject(new BackendError("The disk is full."));
  Object.defineProperty(shop, "operator", { value: { ...shop.operator, cancel } });
  assertEquals(await shop.run("cancel --owner ann --yes"), { code: 1, stdout: "", stderr: "The disk is full.\n" });
});

Deno.test("cancel and retry change nothing if it is not clear which tasks are meant", async () => {
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  for (
    const args of ["cancel --yes", `cancel ${id} --job add --yes`, "retry --again", "retry --status pending --yes"]
  ) {
    assertEquals((await shop.run(args)).code, 2, args);
  }
  assertEquals((await shop.client.get(id)).status, "PENDING");
});

Deno.test("a command for many tasks that is interrupted says that it is not done", async () => {
  await using shop = new Shop({ works: false });
  await Promise.all(Array.from({ length: 60 }, (_, a) => shop.client.start(add, { a, b: 0 })));
  const ended = new AbortController();
  const wrote = () => Promise.resolve(ended.abort());
  const { code, stdout, stderr } = await shop.run("cancel --job add --yes", { signal: ended.signal, wrote });
  assertEquals([code, stdout.trimEnd().split("\n").length], [1, 50]);
  assertEquals(stderr, "mcp-jobs cancel: Interrupted before it was done.\n");
});
