import type { TaskEvent } from "../../../backend.ts";
import { barsOf, shown } from "../../../src/cli/commands/watch.ts";
import { createWorker, type TaskInfo } from "../../../mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { add, endless, refuse, Shop } from "../support/shop.ts";

Deno.test("watch follows named tasks until they are finished, and says by its code how they ended", async () => {
  await using shop = new Shop({ works: false });
  const [good, bad] = [await shop.client.start(add, { a: 1, b: 2 }), await shop.client.start(refuse, {})];
  const watching = [shop.run(`watch ${good.id}`), shop.run(`watch ${bad.id} --json`)];
  createWorker(shop, [add, refuse]);
  const [first, second] = await Promise.all(watching);
  assertEquals([first?.code, second?.code], [0, 1]);
  assertMatch(first?.stdout ?? "", new RegExp(`^${good.id} add COMPLETED$`, "m"));
  const lines = (second?.stdout ?? "").trimEnd().split("\n").map((line) => JSON.parse(line).status);
  assertEquals(lines.at(-1), "FAILED");
});

Deno.test("watch takes ids or a job, and not both", async () => {
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  const { code, stderr } = await shop.run(`watch ${id} --job refuse`);
  assertEquals(code, 2);
  assertStringIncludes(stderr, "pass ids, or --job, not both.");
});

Deno.test("watch follows several tasks until the last of them is finished", async () => {
  await using shop = new Shop({ works: false });
  const [good, bad] = [await shop.client.start(add, { a: 1, b: 2 }), await shop.client.start(refuse, {})];
  const wrote = (line: string) => {
    if (line.endsWith("COMPLETED")) createWorker(shop, [refuse]);
    return Promise.resolve();
  };
  const watching = shop.run(`watch ${good.id} ${bad.id}`, { wrote });
  createWorker(shop, [add]);
  const { code, stdout } = await watching;
  assertEquals([code, stdout.includes(`${bad.id} refuse FAILED`)], [1, true]);
});

/** A task, a later state of it that a failover will lose, and a way to tell the last who watches of such events. */
async function beforeFailover(shop: Shop) {
  let tell: (event: TaskEvent) => void = () => {};
  const watch = shop.watch.bind(shop);
  shop.watch = (listener) => {
    tell = listener;
    return watch(listener);
  };
  const task = await shop.client.start(add, { a: 1, b: 2 });
  const lost: TaskInfo = { ...task, status: "RUNNING", revision: 9, attempt: 1 };
  return { tell: (event: TaskEvent) => tell(event), task, lost };
}

Deno.test("watch shows the end of a task, although a failover has lost changes that it has shown", async () => {
  await using shop = new Shop({ works: false });
  const { tell, task, lost } = await beforeFailover(shop);
  const wrote = async (line: string) => {
    if (line.endsWith("PENDING")) tell({ kind: "change", task: lost });
    if (line.endsWith("RUNNING")) await shop.client.cancel(task.id);
  };
  const { code, stdout } = await shop.run(`watch ${task.id}`, { signal: AbortSignal.timeout(60_000), wrote });
  const shown = stdout.trimEnd().split("\n").map((line) => line.split(" ")[2]);
  assertEquals([code, shown], [1, ["PENDING", "RUNNING", "CANCELLED"]]);
});

Deno.test("watch shows what a failover has left of a task, although it has shown a later state", async () => {
  await using shop = new Shop({ works: false });
  const { tell, task, lost } = await beforeFailover(shop);
  const texts: string[] = [];
  const wrote = async (line: string) => {
    texts.push(line);
    if (texts.length === 1) tell({ kind: "change", task: lost });
    if (texts.length === 2) tell({ kind: "gap" });
    if (texts.length === 3) await shop.client.cancel(task.id);
  };
  const { stdout } = await shop.run(`watch ${task.id}`, { signal: AbortSignal.timeout(60_000), wrote });
  const shown = stdout.trimEnd().split("\n").map((line) => line.split(" ")[2]);
  assertEquals(shown, ["PENDING", "RUNNING", "PENDING", "CANCELLED"]);
});

Deno.test("watch shows a finished task for five seconds, and a task that was named for as long as it runs", () => {
  const now = Date.now();
  const times = { createdAt: now - 10_000, resultTtl: 60_000 };
  const ended = (id: string, ago: number): [string, TaskInfo] => {
    const at = now - ago;
    const base = { id, job: "add", owner: "ann", revision: 2, attempt: 1, ...times };
    return [id, { ...base, status: "COMPLETED", updatedAt: at, finishedAt: at }];
  };
  const tasks = () => new Map([ended("a", 6_000), ended("b", 1_000)]);
  assertEquals(shown(tasks(), []).map(({ id }) => id), ["b"]);
  assertEquals(shown(tasks(), ["a", "b"]).map(({ id }) => id), ["a", "b"]);
});

Deno.test("watch draws the tasks that run above those that wait, which may be more than fit", () => {
  const base = { job: "add", owner: "ann", revision: 2, attempt: 1, createdAt: 0, updatedAt: 0, resultTtl: 60_000 };
  const tasks = ["PENDING", "RUNNING", "RETRYING", "INPUT_REQUIRED"] as const;
  const shownIds = shown(new Map(tasks.map((status) => [status, { ...base, id: status, status }])), []);
  assertEquals(shownIds.map(({ id }) => id), ["INPUT_REQUIRED", "RUNNING", "PENDING", "RETRYING"]);
});

Deno.test("watch draws bars on a terminal until it is interrupted", async () => {
  await using shop = new Shop();
  const task = await shop.client.start(endless, {});
  const ended = new AbortController();
  shop.watch((event) => {
    if (event.kind === "change" && event.task.progress === 0.5) ended.abort();
  });
  const terminal = { columns: 100, rows: 20 };
  const { code, stdout } = await shop.run("watch", { signal: ended.signal, terminal });
  assertEquals(code, 0);
  const drawn = stdout.slice(stdout.lastIndexOf("\x1b[0J") + "\x1b[0J".length).split("\n");
  assertStringIncludes(drawn[0] ?? "", `${task.id}  ${"█".repeat(10)}${"░".repeat(10)}  50%  RUNNING`);
  assert(drawn.every((line) => line.length <= 100));
});

Deno.test("watch shortens its bars on a narrow terminal, so that progress, status and job are still read", () => {
  const id = "01a222c9-bdfe-7000-bbd0-c620211e61bf";
  const times = { createdAt: 0, updatedAt: 0, resultTtl: 60_000 };
  const base = { id, job: "generate_report", owner: "ann", revision: 2, attempt: 1, ...times };
  const task: TaskInfo = { ...base, status: "RUNNING", progress: 0.5, message: "page 51" };
  const lineOf = (columns: number) => barsOf([task], columns)[0];
  assertEquals(lineOf(120), `${id}  ${"█".repeat(10)}${"░".repeat(10)}  50%  RUNNING  generate_report  page 51`);
  assertEquals(lineOf(80), `${id}  ${"█".repeat(5)}${"░".repeat(5)}  50%  RUNNING  generate_report…`);
  assertEquals(lineOf(70), `${id}   50%  RUNNING  generate_report …`);
  assertEquals(lineOf(50), `${id}   50%  RUNNI…`);
});

Deno.test("watch escapes the name of a job, which another program may have chosen", () => {
  const [id, times] = ["01a222c9-bdfe-7000-bbd0-c620211e61bf", { createdAt: 0, updatedAt: 0, resultTtl: 60_000 }];
  const task: TaskInfo = { id, job: "a\x1b[2J", owner: "ann", revision: 2, attempt: 1, ...times, status: "PENDING" };
  assertStringIncludes(barsOf([task], 120)[0] ?? "", "PENDING  a\\u001b[2J");
});
