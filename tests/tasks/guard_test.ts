import { type AuditEvent, BackendError, defineJob, type Limits, MemoryBackend } from "../../mod.ts";
import { InvalidInput, LimitExceeded, TaskNotFound, ToolRegistry } from "../../strategy.ts";
import type { TaskInfo } from "../../src/task.ts";
import { Guard } from "../../src/tasks/guard.ts";
import { Tasks } from "../../src/tasks/tasks.ts";
import { createWorker } from "../../src/worker.ts";
import { assertEquals, assertRejects } from "../../tools/std.ts";

const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
const registered = new ToolRegistry().register(echo);

/** A job whose input does not fit easily. */
const typed = new ToolRegistry().register(defineJob({
  name: "typed",
  input: { type: "object", properties: { n: { type: "number" } }, additionalProperties: false },
}));

/** Tasks on a memory backend, with a clock that only the test moves. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly audited: AuditEvent[] = [];
  readonly tasks: Tasks;
  now = Date.now();

  constructor(limits: Limits = {}) {
    this.tasks = new Tasks(this.backend, () => this.now, { limits, audit: (event) => this.audited.push(event) });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.tasks[Symbol.dispose]();
    await this.backend.close();
  }
}

Deno.test("an owner who has as many open tasks as allowed is refused another", async () => {
  await using stage = new Stage({ openTasks: 2 });
  const first = await stage.tasks.start(registered, {}, "ann");
  await stage.tasks.start(registered, {}, "ann");
  const start = () => stage.tasks.start(registered, {}, "ann");
  await assertRejects(start, LimitExceeded, "2 of yours are not finished, and that is the most.");
  await stage.tasks.start(registered, {}, "bob");
  await stage.tasks.cancel(first.id, "ann");
  await start();
});

Deno.test("a read of a large result counts as many, unless the result is still kept from the read before", async () => {
  await using stage = new Stage({ readsPerMinute: 40 });
  const { tasks, backend } = stage;
  await using _worker = createWorker(backend, [echo]);
  const task = await tasks.start(registered, { text: "x".repeat(1024 * 1024) }, "ann");
  await tasks.finish(task, AbortSignal.timeout(60_000));
  await tasks.outcome(task);
  for (let read = 0; read < 24; read++) {
    await tasks.get(task.id, "ann");
    await tasks.outcome(task);
  }
  await assertRejects(() => tasks.get(task.id, "ann"), LimitExceeded, "Cannot read: 40 times a minute is the most.");
  stage.now += 60_000;
  await tasks.get(task.id, "ann");
});

Deno.test("a repeated start finds its task although its owner has as many open tasks as allowed", async () => {
  await using stage = new Stage({ openTasks: 2 });
  const { tasks } = stage;
  const unique = new ToolRegistry().register(echo, { unique: true });
  const first = await tasks.start(unique, { n: 1 }, "ann");
  const second = await tasks.start(registered, { n: 2 }, "ann", { idempotencyKey: "two" });
  assertEquals((await tasks.start(unique, { n: 1 }, "ann")).id, first.id);
  assertEquals((await tasks.start(registered, { n: 2 }, "ann", { idempotencyKey: "two" })).id, second.id);
  // The caller of the second is gone without an answer.
  await tasks.caller(registered, "ann", { n: 2 }).abandon(Promise.resolve(second));
  assertEquals((await tasks.start(registered, { n: 2 }, "ann", { adopt: true })).id, second.id);
  await assertRejects(() => tasks.start(unique, { n: 3 }, "ann"), LimitExceeded, "2 of yours are not finished");
  await tasks.cancel(first.id, "ann");
  await tasks.start(unique, { n: 3 }, "ann");
});

Deno.test("a start that is admitted again needs no second place", async () => {
  await using backend = new MemoryBackend();
  using guard = new Guard(backend, { limits: { openTasks: 1 } }, Date.now);
  const task = { id: "once", owner: "ann" } as TaskInfo;
  const twice = async (admit: () => Promise<void>) => {
    await admit();
    await admit();
    return task;
  };
  assertEquals(await guard.create(task, twice), task);
});

Deno.test("a start that is overtaken by another one takes no place of its owner", async () => {
  await using backend = new MemoryBackend();
  using guard = new Guard(backend, { limits: { openTasks: 1 } }, Date.now);
  const task = (id: string) => ({ id, owner: "ann" }) as TaskInfo;
  const start = (id: string, stored: string) =>
    guard.create(task(id), async (admit) => {
      await admit();
      return task(stored);
    });
  await start("overtaken", "elsewhere");
  await start("first", "first");
  await assertRejects(() => start("second", "second"), LimitExceeded, "1 of yours are not finished");
});

Deno.test("of many starts at once, as many keys get a task as the limit allows, and all starts of these find it", async () => {
  await using stage = new Stage({ openTasks: 3 });
  const unique = new ToolRegistry().register(echo, { unique: true });
  const inputs = Array.from({ length: 30 }, (_, index) => ({ n: index % 6 }));
  const started = await Promise.allSettled(inputs.map((input) => stage.tasks.start(unique, input, "ann")));
  const ids = Map.groupBy(started, (_, index) => inputs[index]?.n);
  for (const same of ids.values()) {
    const outcomes = same.map((one) => one.status === "fulfilled" ? one.value.id : one.reason.constructor);
    assertEquals(new Set(outcomes).size, 1);
  }
  assertEquals((await stage.tasks.list("ann")).tasks.length, 3);
});

Deno.test("creations and reads are limited per minute, for each owner separately", async () => {
  await using stage = new Stage({ creationsPerMinute: 2, readsPerMinute: 3 });
  const { id } = await stage.tasks.start(registered, {}, "ann");
  await stage.tasks.start(registered, {}, "ann");
  const start = () => stage.tasks.start(registered, {}, "ann");
  await assertRejects(start, LimitExceeded, "Cannot start a task: 2 times a minute is the most. Try again in 30 s.");
  await stage.tasks.get(id, "ann");
  await stage.tasks.list("ann");
  await stage.tasks.answer(id, "ann", () => ({}));
  const signal = new AbortController().signal;
  await assertRejects(() => stage.tasks.get(id, "ann"), LimitExceeded, "Cannot read: 3 times a minute is the most.");
  await assertRejects(() => stage.tasks.wait(id, "ann", signal), LimitExceeded);
  await assertRejects(() => stage.tasks.list("ann"), LimitExceeded);
  await assertRejects(() => stage.tasks.get(id, "bob"), TaskNotFound);
  stage.now += 60_000;
  await start();
  await stage.tasks.get(id, "ann");
});

Deno.test("a ttl or input over its limit is refused, and nothing is stored", async () => {
  await using stage = new Stage({ ttl: 60_000, inputBytes: 20 });
  const start = (input: unknown, ttl?: number) => stage.tasks.start(registered, input, "ann", { ttl });
  await assertRejects(() => start({}, 60_001), LimitExceeded, "for 60001 ms: 60000 ms is the most.");
  await assertRejects(() => start({ text: "é".repeat(6) }), LimitExceeded, "an input of 23 bytes: 20 is the most.");
  assertEquals((await stage.tasks.list("ann")).tasks, []);
  assertEquals((await start({ text: "123456789" }, 60_000)).resultTtl, 60_000);
});

Deno.test("an input that does not fit counts as a creation, but not as an open task", async () => {
  await using stage = new Stage({ creationsPerMinute: 4, openTasks: 1 });
  const start = (input: unknown) => stage.tasks.start(typed, input, "ann");
  for (const _ of [1, 2, 3]) await assertRejects(() => start({ n: "one" }), InvalidInput, "input for typed: n: ");
  await start({ n: 1 });
  await assertRejects(() => start({ n: "one" }), LimitExceeded, "4 times a minute is the most");
});

Deno.test("an input that is too large is refused before it is validated", async () => {
  await using stage = new Stage({ inputBytes: 20 });
  const tooLarge = { n: "not a number at all" };
  await assertRejects(() => stage.tasks.start(typed, tooLarge, "ann"), LimitExceeded, "an input of 27 bytes");
});

Deno.test("the audit log contains nothing of a refused input, and no long text", async () => {
  await using stage = new Stage();
  const refused = (input: unknown) => assertRejects(() => stage.tasks.start(typed, input, "ann"), Error);
  await refused({ n: "secret", "the secret": 1 });
  await refused({ "the secret": 1n });
  stage.tasks.refuseCancel({ id: "1", owner: "ann", job: "x".repeat(1_000) });
  assertEquals(stage.audited.map(({ reason }) => reason), [
    "Invalid input for typed: it does not fit the schema.",
    "The input is not JSON, or too large to be stored.",
    `This server does not offer ${"x".repeat(473)}…`,
  ]);
});

Deno.test("a creation that fails in the backend does not count as an open task", async () => {
  await using stage = new Stage({ openTasks: 1 });
  const create = stage.backend.create.bind(stage.backend);
  stage.backend.create = async (_task, admit) => {
    await admit?.();
    throw new BackendError("The disk is full.");
  };
  const start = () => stage.tasks.start(registered, {}, "ann");
  await assertRejects(start, BackendError, "The disk is full.");
  stage.backend.create = create;
  await start();
  assertEquals(stage.audited.map(({ event }) => event), ["created"]);
});

Deno.test("the audit log has each creation, read of a result or a log, cancellation and refusal", async () => {
  await using stage = new Stage({ ttl: 1_000 });
  const { tasks } = stage;
  await using _worker = createWorker(stage.backend, [echo]);
  const done = await tasks.start(registered, { secret: "of the input" }, "ann");
  await tasks.finish(done, new AbortController().signal);
  await tasks.outcome(done);
  await tasks.log(done);
  await assertRejects(() => tasks.get(done.id, "bob"), TaskNotFound);
  await assertRejects(() => tasks.cancel("x".repeat(1_000), "ann"), TaskNotFound);
  await assertRejects(() => tasks.start(registered, {}, "ann", { ttl: 1_001 }), LimitExceeded);
  const at = new Date(stage.now).toISOString();
  const [who, job] = [{ at, principal: "ann" }, "echo"];
  const refused = { at, event: "refused" } as const;
  const shown = `"${"x".repeat(64)}…"`;
  assertEquals(stage.audited, [
    { ...who, event: "created", operation: "create", job, task: done.id },
    { ...who, event: "result_read", operation: "result", task: done.id },
    { ...who, event: "log_read", operation: "log", job, task: done.id },
    {
      ...refused,
      principal: "bob",
      operation: "read",
      task: done.id,
      reason:
        `Cannot find task "${done.id}": the id is unknown. Check that you have copied all of it. Tasks are deleted some time after they end.`,
    },
    {
      ...refused,
      principal: "ann",
      operation: "cancel",
      task: "x".repeat(64),
      reason:
        `Cannot find task ${shown}: the id is unknown. Check that you have copied all of it. Tasks are deleted some time after they end.`,
    },
    {
      ...refused,
      principal: "ann",
      operation: "create",
      job,
      reason: "Cannot keep a result for 1001 ms: 1000 ms is the most. Ask for a shorter ttl.",
    },
  ]);
});

Deno.test("the audit log tells a start that has found its task from one that has created it", async () => {
  await using stage = new Stage();
  const start = (idempotencyKey: string) => stage.tasks.start(registered, {}, "ann", { idempotencyKey });
  const [first, again, other] = [await start("one"), await start("one"), await start("two")];
  assertEquals(stage.audited.map(({ event, task }) => [event, task]), [
    ["created", first.id],
    ["found", first.id],
    ["created", other.id],
  ]);
  assertEquals(again.id, first.id);
});

Deno.test("the audit log has each reading of a log, and not the lines that a client is sent as they come", async () => {
  await using stage = new Stage();
  const task = await stage.tasks.start(registered, {}, "ann");
  stage.audited.length = 0;
  await stage.tasks.log(task, true);
  assertEquals(stage.audited, []);
  await stage.tasks.log(task);
  assertEquals(stage.audited.map(({ event }) => event), ["log_read"]);
});

Deno.test("the audit log names the job of a cancelled task", async () => {
  await using stage = new Stage();
  const { id } = await stage.tasks.start(registered, {}, "ann");
  await stage.tasks.cancel(id, "ann");
  const { event, operation, task, job } = stage.audited.at(-1) ?? {};
  assertEquals([event, operation, task, job], ["cancelled", "cancel", id, "echo"]);
});
