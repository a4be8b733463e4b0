import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { TaskEvent } from "../../backend.ts";
import { barsOf, shown } from "../../src/cli/commands/watch.ts";
import { runCli } from "../../src/cli/main.ts";
import { declared, SCHEDULE, toText } from "../../src/schedules/schedule.ts";
import {
  BackendError,
  content,
  createClient,
  createWorker,
  defineJob,
  image,
  MemoryBackend,
  type TaskClient,
  type TaskInfo,
  text,
  ToolError,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes, FakeTime } from "../../tools/std.ts";
import { until } from "../support/processes.ts";

const add = defineJob({
  name: "add",
  input: z.object({ a: z.number(), b: z.number() }),
  run: ({ a, b }) => a + b,
});

const refuse = defineJob({
  name: "refuse",
  input: z.object({}),
  run: (): string => {
    throw new ToolError("The card was\ndeclined.");
  },
});

const talk = defineJob({
  name: "talk",
  input: z.object({}),
  run: async (_, { log }) => {
    await log("warning", "running\nlow \x1b[31m");
    await log("done");
  },
});

const shout = defineJob({
  name: "shout",
  input: z.object({}),
  run: async (_, { log }): Promise<string> => {
    await log("\x9b31m");
    throw new ToolError("The screen is \x9b2J empty.");
  },
});

const endless = defineJob({
  name: "endless",
  input: z.object({}),
  run: async (_, { signal, progress }) => {
    await progress(0.5, "half of it");
    await sleep(60_000, undefined, { signal });
  },
});

const naps = defineJob({
  name: "naps",
  input: z.object({}),
  parkAfter: 0,
  run: (_, { sleep }) => sleep("an hour", 3_600_000),
});

/** A backend that the command line does not close, with a client and, unless told otherwise, a worker. */
class Shop extends MemoryBackend {
  readonly client: TaskClient = createClient(this, { owner: "ann" });
  /** Whether tables may be made, for each time that a command has opened it; and how often one has closed it. */
  readonly opened: boolean[] = [];
  closings = 0;

  constructor({ works = true }: { readonly works?: boolean } = {}) {
    super();
    if (works) createWorker(this, [add, refuse, talk, shout, endless]);
  }

  override close(): Promise<void> {
    this.closings++;
    return Promise.resolve();
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]();
    await super.close();
  }

  /** Runs a command, and resolves with what it wrote. */
  async run(
    args: string,
    { signal = new AbortController().signal, terminal, wrote }: Partial<Surroundings> = {},
  ): Promise<Said> {
    let [stdout, stderr] = ["", ""];
    const code = await runCli(`${args} --kv jobs.kv`.trim().split(" "), {
      terminal,
      write: (text) => {
        stdout += text;
        void wrote?.(text.trim());
      },
      say: (line) => stderr += `${line}\n`,
      signal,
      now: Date.now,
      open: ({ kv }, migrates) => {
        assertEquals(kv, "jobs.kv");
        this.opened.push(migrates);
        return Promise.resolve(this);
      },
    });
    return { code, stdout, stderr };
  }
}

/** What a command runs in. */
interface Surroundings {
  readonly signal: AbortSignal;
  readonly terminal: { readonly columns: number; readonly rows: number };
  /** Called with what was written to stdout. */
  readonly wrote: (text: string) => Promise<void>;
}

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

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

Deno.test("show prints a task with its input, and with its result or its error", async () => {
  await using shop = new Shop();
  const sum = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(sum);
  const { stdout } = await shop.run(`show ${sum.id}`);
  assertStringIncludes(stdout, "status        COMPLETED");
  assertStringIncludes(stdout, '"b": 2');
  assertStringIncludes(stdout, "result:\n3");
  const bad = await shop.client.start(refuse, {});
  await shop.client.wait(bad).catch(() => {});
  assertStringIncludes((await shop.run(`show ${bad.id}`)).stdout, "tool error:\nThe card was\ndeclined.");
  assertEquals(JSON.parse((await shop.run(`show ${sum.id} --json`)).stdout).outcome, { kind: "value", value: 3 });
  const none = await shop.client.start(talk, {});
  await shop.client.wait(none);
  assertStringIncludes((await shop.run(`show ${none.id}`)).stdout, "result:\nnull");
});

Deno.test("show names the worker that runs a task, which may have to be restarted, and none once it has ended", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(endless, {});
  await until(async () => (await shop.client.get(id)).status === "RUNNING", "it runs");
  const [worker] = await shop.operator.workers();
  assertMatch((await shop.run(`show ${id}`)).stdout, new RegExp(`^worker +${Deno.pid} on ${worker?.host}$`, "m"));
  assertEquals(JSON.parse((await shop.run(`show ${id} --json`)).stdout).worker, worker?.name);
  await shop.client.cancel(id);
  assertEquals((await shop.run(`show ${id}`)).stdout.includes("worker "), false);
});

Deno.test("show says that no worker which is alive runs a task", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(endless, {});
  await until(async () => (await shop.client.get(id)).status === "RUNNING", "it runs");
  Object.assign(shop.operator, { workers: () => Promise.resolve([]) });
  assertMatch((await shop.run(`show ${id}`)).stdout, /^worker +none of mcp-jobs that is alive$/m);
});

Deno.test("show says what a task waits for, in the words that clients get", async () => {
  using time = new FakeTime();
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  time.tick(60_000);
  assertMatch((await shop.run(`show ${id}`)).stdout, /^message +Waiting: no worker for add is running/m);
  assertMatch(
    JSON.parse((await shop.run(`show ${id} --json`)).stdout).message,
    /^Waiting: no worker for add is running/,
  );
});

Deno.test("an unknown task is an error on stderr, and the exit code is 1", async () => {
  await using shop = new Shop();
  const { code, stdout, stderr } = await shop.run("show nothing");
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, 'mcp-jobs show: Cannot find task "nothing"');
  Object.assign(shop.operator, { get: () => Promise.reject(new BackendError("The store\nis \x9b2J away.")) });
  assertEquals((await shop.run("show nothing")).stderr, "mcp-jobs show: The store\\u000ais \\u009b2J away.\n");
});

Deno.test("only migrate makes or updates tables, and each command closes the backend that it has opened", async () => {
  await using shop = new Shop({ works: false });
  for (const command of ["tasks", "show nothing", "migrate"]) await shop.run(command);
  assertEquals([shop.opened, shop.closings], [[false, false, true], 3]);
});

Deno.test("an option that cannot be read is an error that names it, and the exit code is 2", async () => {
  await using shop = new Shop();
  const { code, stderr } = await shop.run("tasks --limit none");
  assertEquals(code, 2);
  assertMatch(stderr, /^mcp-jobs tasks: --limit needs a whole number/);
});

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

Deno.test("show has a line for all that is known of a task, and the size of a picture instead of its bytes", async () => {
  await using shop = new Shop({ works: false });
  const draw = defineJob({
    name: "draw",
    input: z.object({}),
    run: async (_, { progress }) => {
      await progress(0.5);
      return content([text("A chart"), image(new Uint8Array(3), "image/png")]);
    },
  });
  const namesOf = (stdout: string) => stdout.split("\n\n")[0]?.split("\n").map((line) => line.split(/ {2,}/)[0]) ?? [];
  const first = await shop.client.start(draw, {}, { startAt: new Date(Date.now() + 3_600_000) });
  const waiting = ["id", "job", "owner", "status", "attempt", "message", "created", "last change", "due"];
  assertEquals(namesOf((await shop.run(`show ${first.id}`)).stdout), waiting);
  await shop.client.cancel(first.id);
  const cancelled = (await shop.run(`show ${first.id}`)).stdout;
  assertMatch(cancelled, /^code +never started$/m);
  assertEquals(namesOf(cancelled).slice(-3), ["finished", "kept until", "code"]);
  const { id: second } = JSON.parse((await shop.run(`retry ${first.id} --json`)).stdout);
  createWorker(shop, [draw]);
  await shop.client.wait(second);
  const { stdout } = await shop.run(`show ${second}`);
  assertMatch(stdout, new RegExp(`^progress +100%$[^]*^retry of +${first.id}$`, "m"));
  assertMatch(
    stdout,
    /^result:\nA chart\n\{\n {2}"type": "image",\n {2}"base64Characters": 4,\n {2}"mimeType": "image\/png"\n\}$/m,
  );
});

Deno.test("JSON has nothing that a terminal takes for a command", async () => {
  await using shop = new Shop();
  const { id } = await shop.client.start(shout, {});
  await shop.client.wait(id).catch(() => {});
  for (const command of [`tasks`, `show ${id}`, `logs ${id}`, `watch ${id}`, `retry ${id}`]) {
    const { stdout } = await shop.run(`${command} --json`);
    assertEquals(stdout.replaceAll("\n", "").match(/[\p{Cc}\p{Cf}]/gu), null, command);
  }
  assertEquals(JSON.parse((await shop.run(`show ${id} --json`)).stdout).message, "The screen is \x9b2J empty.");
});

Deno.test("dashboard serves the page until it is interrupted", async () => {
  await using shop = new Shop({ works: false });
  const ended = new AbortController();
  const served = shop.run("dashboard", {
    signal: ended.signal,
    wrote: async (url) => {
      const { status, body } = await fetch(url);
      await body?.cancel();
      assertEquals(status, 200);
      ended.abort();
    },
  });
  const { code, stderr } = await served;
  assertEquals(code, 0);
  assertStringIncludes(stderr, "Whoever knows this URL");
});

Deno.test("cancel stops tasks, also if one of them cannot be cancelled", async () => {
  await using shop = new Shop();
  const task = await shop.client.start(endless, {});
  const { code, stdout, stderr } = await shop.run(`cancel nothing ${task.id}`);
  assertEquals(code, 1);
  assertMatch(stdout, new RegExp(`^${task.id} is CANCELLED`));
  assertStringIncludes(stderr, "nothing");
});

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

Deno.test("a command that is interrupted before it begins ends: a list says that it is not done", async () => {
  await using shop = new Shop();
  await shop.client.start(endless, {});
  const signal = AbortSignal.abort();
  assertEquals((await shop.run("watch", { signal })).code, 0);
  const { code, stdout, stderr } = await shop.run("tasks", { signal });
  assertEquals([code, stdout, stderr], [1, "", "mcp-jobs tasks: Interrupted before it was done.\n"]);
});

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

Deno.test("workers says that none of mcp-jobs is alive, since a BullMQ queue may have others", async () => {
  await using shop = new Shop({ works: false });
  assertEquals((await shop.run("workers")).stderr, "No worker of mcp-jobs is alive.\n");
});

Deno.test("workers lists who is alive", async () => {
  await using shop = new Shop();
  const [worker] = JSON.parse((await shop.run("workers --json")).stdout);
  assertEquals([worker.pid, worker.jobs], [Deno.pid, ["add", "refuse", "talk", "shout", "endless"]]);
});

Deno.test("schedules lists the schedules, and pauses, resumes or removes one", async () => {
  await using shop = new Shop({ works: false });
  const declaration = { job: "add", owner: "ann", input: {}, times: { every: 3_600_000 }, catchUp: true };
  await shop.documents.write(`${SCHEDULE}hourly`, undefined, toText(declared(declaration, undefined, Date.now())));
  assertMatch((await shop.run("schedules")).stdout, /\nhourly +add +every 60m +\d.* ann\n$/);
  assertMatch((await shop.run("schedules --pause hourly")).stdout, /\nhourly +add +every 60m +paused +ann\n$/);
  assertMatch((await shop.run("schedules --resume hourly")).stdout, /\nhourly +add +every 60m +\d.* ann\n$/);
  const unknown = await shop.run("schedules --remove daily");
  assertEquals([unknown.code, unknown.stdout], [1, ""]);
  assertStringIncludes(unknown.stderr, 'There is no schedule "daily"');
  assertEquals((await shop.run("schedules --pause hourly --remove hourly")).code, 2);
  assertEquals((await shop.run("schedules --remove hourly")).stderr, "There are no schedules.\n");
});

Deno.test("purge deletes nothing without --status and --before", async () => {
  await using shop = new Shop();
  const { code, stderr } = await shop.run("purge --status COMPLETED");
  assertEquals(code, 2);
  assertStringIncludes(stderr, "needs --status and --before");
  const task = await shop.client.start(add, { a: 1, b: 2 });
  await shop.client.wait(task);
  assertEquals((await shop.run("purge --status completed --before 2100-01-01")).stdout, "1 deleted\n");
});

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

Deno.test("arguments that are not understood are explained on stderr, and the exit code is 2", async () => {
  await using shop = new Shop({ works: false });
  for (
    const args of [
      "",
      "nothing",
      "tasks --nothing",
      "show",
      "tasks extra",
      "tasks --limit many",
      "cancel",
      "tasks --since 2h --until 3h",
    ]
  ) {
    const { code, stdout, stderr } = await shop.run(args);
    assertEquals([code, stdout], [2, ""], args);
    assertStringIncludes(stderr, "--help");
  }
});

Deno.test("an option has one text, which is no other option, and a flag has none: else nothing is changed", async () => {
  await using shop = new Shop({ works: false });
  const { id } = await shop.client.start(add, { a: 1, b: 2 });
  for (
    const [options, why] of [
      ["--yes --job add --message", "--message needs TEXT."],
      ["--yes --job add --message=", "--message needs TEXT."],
      ["--yes --job add --owner --json", "--owner needs OWNER."],
      ["--yes --job refuse --job add", "--job was passed more than once."],
      ["--job add --yes=false", "1 task matches. Pass --yes to go on."],
    ] as const
  ) {
    const { code, stderr } = await shop.run(`cancel ${options}`);
    assertEquals([code, stderr.split("\n")[0]], [2, `mcp-jobs cancel: ${why}`]);
  }
  assertEquals((await shop.client.get(id)).status, "PENDING");
  assertEquals((await shop.run("tasks --json --json --owner=ann --job=add")).code, 0);
});

Deno.test("every command writes its help to stdout, and the exit code is 0", async () => {
  await using shop = new Shop({ works: false });
  const { stdout } = await shop.run("--help");
  const names = [...stdout.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name = ""]) => name);
  assert(names.length >= 13);
  for (const name of names) {
    const { code, stdout, stderr } = await shop.run(`${name} --help`);
    assertEquals([code, stderr], [0, ""]);
    assertStringIncludes(stdout, `Usage: mcp-jobs ${name}`);
    for (const args of [`help ${name}`, `${name} -h`]) assertEquals(await shop.run(args), { code, stdout, stderr });
  }
});
