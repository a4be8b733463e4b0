import { z } from "zod";
import { InvalidInput, type NewTask, TaskNotFound } from "../../backend.ts";
import {
  BackendError,
  content,
  createClient,
  createWorker,
  defineJob,
  DefinitionError,
  JobFault,
  JobsError,
  MemoryBackend,
  TaskCancelled,
  TaskStatus,
  text,
  ToolError,
} from "../../mod.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows, FakeTime } from "../../tools/std.ts";

const add = defineJob({
  name: "add",
  input: z.object({ a: z.number(), b: z.number().default(1), text: z.string().transform(Number).optional() }),
  run: ({ a, b }) => a + b,
});
const fail = defineJob({
  name: "fail",
  input: z.object({ how: z.enum(["tool", "fault"]) }),
  attempts: 1,
  run: ({ how }): string => {
    throw how === "tool" ? new ToolError("The card was declined.") : new JobFault("No such ledger.", -32001);
  },
});
const sleep = defineJob({
  name: "sleep",
  input: z.object({}),
  run: (_, { signal }) =>
    new Promise<void>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
});

/** Stores as the memory backend does, and keeps what it was given. */
class Watched extends MemoryBackend {
  readonly created: NewTask[] = [];
  override create(task: NewTask) {
    this.created.push(task);
    return super.create(task);
  }
}

Deno.test("code starts a job with the input that its schema takes, and awaits the result that its code returns", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [add]);
  using client = createClient(backend, { owner: "user:ann" });
  const started = await client.start(add, { a: 2, text: "7" });
  const sum: number = await client.wait(started);
  assertEquals(sum, 3);
  const { status, owner } = await client.get(started.id);
  assertEquals({ status, owner }, { status: TaskStatus.COMPLETED, owner: "user:ann" });
  assertEquals(await client.wait<number>(started.id), 3);
});

Deno.test("code receives the data of a result that was made for a model", async () => {
  const draw = defineJob({
    name: "draw",
    input: z.object({}),
    run: () => content([text("Six months")], { structuredContent: { best: 0.9 } }),
  });
  const say = defineJob({ name: "say", input: z.object({}), run: () => content([text("Hello")]) });
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [draw, say]);
  using client = createClient(backend, { owner: "user:ann" });
  const { best }: { best: number } = await client.wait(await client.start(draw, {}));
  assertEquals(best, 0.9);
  const nothing: null = await client.wait(await client.start(say, {}));
  assertEquals(nothing, null);
});

Deno.test("an input that does not fit is refused, by the compiler and when it is passed, and nothing is stored", async () => {
  await using backend = new Watched();
  using client = createClient(backend, { owner: "user:ann" });
  // @ts-expect-error A text is not a number.
  await assertRejects(() => client.start(add, { a: "2" }), InvalidInput, "Invalid input for add: a");
  // @ts-expect-error The input has no such field.
  await client.start(add, { a: 2, c: 3 });
  assertEquals(backend.created.length, 1);
});

Deno.test("a failed task rejects with the error that its code threw, and a cancelled one with TaskCancelled", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [fail, sleep]);
  using client = createClient(backend, { owner: "user:ann" });
  const [tool, fault] = [await client.start(fail, { how: "tool" }), await client.start(fail, { how: "fault" })];
  await assertRejects(() => client.wait(tool), ToolError, "The card was declined.");
  assertEquals((await assertRejects(() => client.wait(fault), JobFault, "No such ledger.")).code, -32001);
  const sleeping = await client.start(sleep, {});
  const waiting = assertRejects(() => client.wait(sleeping), TaskCancelled);
  assertEquals((await client.cancel(sleeping.id)).status, TaskStatus.CANCELLED);
  await waiting;
});

Deno.test("starts with the same key receive one task; the same key with another input is refused", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const first = await client.start(add, { a: 1 }, { key: "order-7" });
  assertEquals((await client.start(add, { a: 1 }, { key: "order-7" })).id, first.id);
  await assertRejects(() => client.start(add, { a: 2 }, { key: "order-7" }), InvalidInput);
});

Deno.test("a start says when the task may begin, how urgent it is, and how long its result is kept", async () => {
  await using backend = new Watched();
  using client = createClient(backend, { owner: "user:ann" });
  await client.start(add, { a: 1 }, { startAt: new Date(Date.now() + 60_000), priority: 5, resultTtl: 1_000 });
  await client.start(add, { a: 1 }, { startAt: new Date(0) });
  const [later, past] = backend.created;
  assertEquals([later?.priority, later?.resultTtl, past?.delay], [5, 1_000, 0]);
  assertEquals(Math.ceil((later?.delay ?? 0) / 1_000), 60);
});

Deno.test("a client sees no task of another owner, and aborting or closing it ends the waiting but not the task", async () => {
  await using backend = new MemoryBackend();
  using ann = createClient(backend, { owner: "user:ann" });
  using bob = createClient(backend, { owner: "user:bob" });
  const task = await ann.start(add, { a: 1 });
  await assertRejects(() => bob.get(task.id), TaskNotFound);
  await assertRejects(() => bob.wait(task), TaskNotFound);
  await assertRejects(() => bob.cancel(task.id), TaskNotFound);
  await assertRejects(() => ann.wait(task, AbortSignal.abort(new Error("enough"))), Error, "enough");
  const waiting = assertRejects(() => ann.wait(task), JobsError, "The client is closed.");
  ann[Symbol.dispose]();
  await waiting;
  using again = createClient(backend, { owner: "user:ann" });
  assertEquals((await again.get(task.id)).status, TaskStatus.PENDING);
});

Deno.test("closing the backend ends the waits of its clients", async () => {
  const backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const task = await client.start(add, { a: 1 });
  const waiting = assertRejects(() => client.wait(task), BackendError, "Cannot wait: the backend is closed.");
  await backend.close();
  await waiting;
  await assertRejects(() => client.wait(task), BackendError, "Cannot wait: the backend is closed.");
});

Deno.test("waits without a signal add no listener to a signal that all of them share", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const signals: unknown[] = [];
  const { addEventListener } = AbortSignal.prototype;
  AbortSignal.prototype.addEventListener = function (this: AbortSignal, ...args: Parameters<typeof addEventListener>) {
    signals.push(this);
    Reflect.apply(addEventListener, this, args);
  };
  try {
    const waits = [await client.start(add, { a: 1 }), await client.start(add, { a: 2 })].map((task) =>
      client.wait(task)
    );
    await using _worker = createWorker(backend, [add]);
    assertEquals(await Promise.all(waits), [2, 3]);
  } finally {
    AbortSignal.prototype.addEventListener = addEventListener;
  }
  assertEquals(signals.length, new Set(signals).size);
});

Deno.test("a task that waits says why", async () => {
  using time = new FakeTime();
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const { id } = await client.start(add, { a: 1 });
  time.tick(60_000);
  assertStringIncludes((await client.get(id)).message ?? "", "no worker for add is running");
});

Deno.test("unknown options and wrong values are refused by name", async () => {
  await using backend = new MemoryBackend();
  // @ts-expect-error There is no such option.
  assertThrows(() => createClient(backend, { owner: "ann", user: "ann" }), DefinitionError, "Unknown option user");
  // @ts-expect-error The owner is missing.
  assertThrows(() => createClient(backend, {}), DefinitionError, "owner of createClient");
  const unset = undefined as never;
  assertThrows(() => createClient(unset, { owner: "user:ann" }), DefinitionError, "backend of createClient");
  using client = createClient(backend, { owner: "user:ann" });
  await assertRejects(() => client.wait("any", "soon" as never), DefinitionError, "it must be an AbortSignal");
  for (const never of [NaN, 8.64e15]) {
    const starting = () => client.start(add, { a: 1 }, { startAt: new Date(never) });
    await assertRejects(starting, DefinitionError, "it must be a valid Date");
  }
  const empty = () => client.start(add, { a: 1 }, { key: "" });
  await assertRejects(empty, DefinitionError, "it must be a text that is not empty");
  for (const owner of ["", "x".repeat(129), "\ud800"]) {
    assertThrows(() => createClient(backend, { owner }), DefinitionError, "1 to 128 characters");
  }
  for (const none of [undefined, null, 5, {}]) {
    for (const method of ["get", "wait", "cancel", "start"] as const) {
      const called = async () => await Reflect.apply(client[method], client, [none, {}]);
      await assertRejects(called, DefinitionError, ` of ${method}`);
    }
  }
});

Deno.test("a client has none of a server's limits, because its owner's own code uses it", async () => {
  await using backend = new MemoryBackend();
  using client = createClient(backend, { owner: "user:ann" });
  const started = await Promise.all(Array.from({ length: 1_001 }, () => client.start(add, { a: 1 })));
  assertEquals(new Set(started.map(({ id }) => id)).size, 1_001);
});

Deno.test("onError of a client receives what a key function throws, which its caller is not told", async () => {
  await using backend = new MemoryBackend();
  const received: unknown[] = [];
  using client = createClient(backend, { owner: "user:ann", onError: (error) => received.push(error) });
  const broken = new Error("The database of customers is away.");
  const key = () => {
    throw broken;
  };
  const report = defineJob({ name: "report", input: z.object({}), unique: { key }, run: () => null });
  await assertRejects(() => client.start(report, {}), ToolError);
  assertEquals(received, [broken]);
});

Deno.test("a closed client no longer subscribes to its backend", async () => {
  let subscribed = 0;
  class Counted extends MemoryBackend {
    override watch(listener: Parameters<MemoryBackend["watch"]>[0]) {
      const stop = super.watch(listener);
      subscribed++;
      return () => {
        subscribed--;
        stop();
      };
    }
  }
  await using backend = new Counted();
  const client = createClient(backend, { owner: "user:ann" });
  await client.start(add, { a: 1 });
  assert(subscribed > 0);
  client[Symbol.dispose]();
  assertEquals(subscribed, 0);
});
