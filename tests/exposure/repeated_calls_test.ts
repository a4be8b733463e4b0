import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  BackendError,
  BlockingExposureStrategy,
  defineJob,
  type ExposureStrategy,
  type Job,
  JobsError,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
  type TaskInfo,
  ToolError,
} from "../../mod.ts";
import type { NewTask, Outcome } from "../../backend.ts";
import { InvalidInput, Unavailable } from "../../src/errors.ts";
import { merge } from "../../src/exposure/merge.ts";
import { CallCancelled, CallerGone, CallTimedOut } from "../../src/exposure/surface.ts";
import type { Surface, ToolResult } from "../../strategy.ts";
import { pause } from "../../src/waiting.ts";
import { assert, assertEquals, assertMatch, assertRejects } from "../../tools/std.ts";
import { PassingTime } from "../support/time.ts";
import { Bench, call, callFor, type CallOptions, ME, PLAIN } from "./support.ts";

/** A job that ends when the test says so, and counts its runs. */
class Gate {
  runs = 0;
  readonly #begun = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();

  readonly job: Job = defineJob({
    name: "gated",
    input: z.object({ user: z.string(), year: z.number().optional() }),
    run: async ({ user }) => {
      this.runs++;
      this.#begun.resolve();
      await this.#opened.promise;
      if (this.#error) throw this.#error;
      return { user };
    },
  });
  readonly #error: Error | undefined;

  /** With an `error`, the job fails. */
  constructor(error?: Error) {
    this.#error = error;
  }

  get begun(): Promise<void> {
    return this.#begun.promise;
  }

  open(): void {
    this.#opened.resolve();
  }
}

/** Exposes a gated job, and starts a worker for it. */
async function exposeGated(bench: Bench): Promise<{ readonly gate: Gate; readonly surface: Surface }> {
  const gate = new Gate();
  const surface = bench.exposeAll(gate.job);
  await bench.work(gate.job);
  return { gate, surface };
}

/** A call whose client gives up once the job runs. */
async function giveUp(
  surface: Surface,
  gate: Gate,
  input: unknown,
  reason: CallCancelled = new CallTimedOut("The client's time limit for the call has passed."),
): Promise<void> {
  const caller = new AbortController();
  const answer = assertRejects(
    () => call(surface, "gated", input, { signal: caller.signal }),
    JobsError,
  );
  await gate.begun;
  caller.abort(reason);
  await answer;
}

const tokenOf = ({ structuredContent }: ToolResult) => structuredContent?.token;

Deno.test("after a call has timed out, the next call with the same input takes its task over, and the job runs once", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const { gate, surface } = await exposeGated(bench);
  await giveUp(surface, gate, { user: "Ada", year: 2026 });
  // The same input, with its fields in another order.
  const again = call(surface, "gated", { year: 2026, user: "Ada" });
  gate.open();
  assertEquals((await again).structuredContent, { user: "Ada" });
  assertEquals(gate.runs, 1);
});

for (const [limit, waits] of [[100, 4_000], [5_000, 4_000], [20_000, 16_000]] as const) {
  Deno.test(`when a client that gives up after ${limit} ms calls again, it gets a handle after ${waits} ms, and hears how long it can wait`, async () => {
    await using _time = new PassingTime();
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const { gate, surface } = await exposeGated(bench);
    const caller = new AbortController();
    const first = call(surface, "gated", { user: "Ada" }, { signal: caller.signal });
    const gaveUp = assertRejects(() => first, CallTimedOut);
    await pause(limit);
    caller.abort(new CallTimedOut("The client's time limit for the call has passed."));
    await gaveUp;
    const since = Date.now();
    const { structuredContent: handle } = await call(surface, "gated", { user: "Ada" });
    assertEquals(Date.now() - since, waits);
    assertMatch(`${handle?.next}`, new RegExp(`^Call task_status with this token and wait_seconds ${waits / 1_000};`));
    const { structuredContent: status } = await call(surface, "task_status", { token: handle?.token });
    assertEquals(Date.now() - since, 2 * waits); // Without wait_seconds, too.
    assertEquals(status?.next, handle?.next);
    gate.open();
    const ended = await call(surface, "task_status", { token: handle?.token });
    assertEquals(ended.structuredContent?.result, { user: "Ada" });
    assertEquals(gate.runs, 1);
  });
}

for (
  const [reason, after, waits] of [
    [new CallerGone(false), 1_000, 25_000],
    [new CallerGone(false), 5_000, 4_000],
    [new CallCancelled("The call was cancelled."), 1_000, 25_000],
  ] as const
) {
  const what = `${reason.constructor.name} after ${after} ms`;
  Deno.test(`a call that ends with ${what} leaves its task to a call that waits for ${waits} ms`, async () => {
    await using _time = new PassingTime();
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const gate = new Gate();
    const surface = merge([bench.expose(gate.job, { cancel: false })], bench.tasks);
    await bench.work(gate.job);
    const caller = new AbortController();
    const signal = caller.signal;
    const gone = assertRejects<Error>(() => call(surface, "gated", { user: "Ada" }, { signal }), JobsError);
    await pause(after);
    caller.abort(reason);
    await gone;
    const since = Date.now();
    const { structuredContent: handle } = await call(surface, "gated", { user: "Ada" });
    assertEquals(Date.now() - since, waits);
    assertMatch(`${handle?.next}`, new RegExp(`and wait_seconds ${waits / 1_000};`));
    gate.open();
    const ended = await call(surface, "task_status", { token: handle?.token });
    assertEquals(ended.structuredContent?.result, { user: "Ada" });
    assertEquals(gate.runs, 1);
  });
}

/** A call whose client gives it up after so many ms. */
async function giveUpAfter(
  ms: number,
  surface: Surface,
  name: string,
  input: unknown,
  options: CallOptions = {},
): Promise<void> {
  const caller = new AbortController();
  const gaveUp = assertRejects(() => call(surface, name, input, { ...options, signal: caller.signal }), CallTimedOut);
  await pause(ms);
  caller.abort(new CallTimedOut("The client's time limit for the call has passed."));
  await gaveUp;
}

for (const [limit, waits] of [[5_000, 4_000], [1_000, 25_000]] as const) {
  Deno.test(`when a call of task_status is given up after ${limit} ms, the next one answers after ${waits} ms by default`, async () => {
    await using _time = new PassingTime();
    await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
    const { gate, surface } = await exposeGated(bench);
    const { structuredContent: handle } = await call(surface, "gated", { user: "Ada" });
    await gate.begun;
    await giveUpAfter(limit, surface, "task_status", { token: handle?.token });
    const since = Date.now();
    const { structuredContent: status } = await call(surface, "task_status", { token: handle?.token });
    assertEquals(Date.now() - since, waits);
    assertMatch(`${status?.next}`, new RegExp(`^Call task_status with this token and wait_seconds ${waits / 1_000};`));
    gate.open();
  });
}

Deno.test("when a client that gives up after 5 s repeats a call with its own key, it gets a handle after 4 s", async () => {
  await using _time = new PassingTime();
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const { gate, surface } = await exposeGated(bench);
  const options = { idempotencyKey: "once" };
  await giveUpAfter(5_000, surface, "gated", { user: "Ada" }, options);
  const since = Date.now();
  const { structuredContent: handle } = await call(surface, "gated", { user: "Ada" }, options);
  assertEquals(Date.now() - since, 4_000);
  assertEquals(handle?.status, "RUNNING");
  gate.open();
  assertEquals(gate.runs, 1);
});

for (
  const [who, waits, options] of [
    ["an only client", 4_000, { isOnlyClient: true }],
    // It may have cancelled the call before over another connection.
    ["a client with a session", 4_250, { session: "one" }],
  ] as const
) {
  Deno.test(`${who} that gives up after 5 s without a word gets its task when it calls again, as a handle after ${waits} ms`, async () => {
    await using _time = new PassingTime();
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const { gate, surface } = await exposeGated(bench);
    const input = { user: "Ada" };
    const first = call(surface, "gated", input, options);
    const tokens = new Set<unknown>();
    // Its model thinks before it calls again.
    for (const thinks of [0, 3_000]) {
      await pause(5_000 + thinks);
      const since = Date.now();
      const { structuredContent: handle } = await call(surface, "gated", input, options);
      assertEquals(Date.now() - since, waits);
      assertMatch(`${handle?.next}`, /^Call task_status with this token and wait_seconds 4;/);
      tokens.add(handle?.token);
    }
    gate.open();
    assertEquals((await first).structuredContent, { user: "Ada" });
    assertEquals([tokens.size, gate.runs], [1, 1]);
    await pause(1_000); // Until it is written that no call waits any more.
  });
}

for (
  const [whose, apart, ...options] of [
    ["an only client makes within 4 s", 3_900, { isOnlyClient: true }, { isOnlyClient: true }],
    ["a client with a session makes within 4 s", 3_700, { session: "one" }, { session: "one" }],
    ["several clients make", 5_000, {}, {}],
    ["clients with sessions make", 5_000, { session: "one" }, { session: "two" }],
  ] as const
) {
  Deno.test(`equal calls that ${whose} have tasks of their own`, async () => {
    await using _time = new PassingTime();
    await using bench = new Bench(new AdaptiveExposureStrategy());
    const { gate, surface } = await exposeGated(bench);
    const calls = [call(surface, "gated", { user: "Ada" }, options[0])];
    await pause(apart);
    calls.push(call(surface, "gated", { user: "Ada" }, options[1]));
    await pause(10_000);
    gate.open();
    const answers = await Promise.all(calls);
    assertEquals(answers.map(({ structuredContent }) => structuredContent), [{ user: "Ada" }, { user: "Ada" }]);
    assertEquals(gate.runs, 2);
    await pause(1_000); // Until it is written that no call waits any more.
  });
}

Deno.test("a client that calls again in the moment in which it gives up gets its task", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const { gate, surface } = await exposeGated(bench);
  const caller = new AbortController();
  const first = assertRejects(() => call(surface, "gated", { user: "Ada" }, { signal: caller.signal }), JobsError);
  await gate.begun;
  caller.abort(new CallTimedOut("The client's time limit for the call has passed."));
  const again = call(surface, "gated", { user: "Ada" });
  await first;
  gate.open();
  assertEquals((await again).structuredContent, { user: "Ada" });
  assertEquals(gate.runs, 1);
});

/** A backend that holds the storing of tasks, or the reading of results, until the test lets it go on. */
class LockedBackend extends MemoryBackend {
  readonly #reached = Promise.withResolvers<void>();
  readonly #opened = Promise.withResolvers<void>();

  constructor(readonly held: "create" | "outcome") {
    super();
  }

  /** Resolves once the first task or result is held. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  letGo(): void {
    this.#opened.resolve();
  }

  override async create(task: NewTask): Promise<TaskInfo> {
    await this.#hold("create");
    return await super.create(task);
  }

  override async outcome(id: string, owner: string): Promise<Outcome> {
    await this.#hold("outcome");
    return await super.outcome(id, owner);
  }

  async #hold(what: "create" | "outcome"): Promise<void> {
    if (what !== this.held) return;
    this.#reached.resolve();
    await this.#opened.promise;
  }
}

for (
  const [held, moment] of [["create", "its task is being stored"], ["outcome", "its result is being read"]] as const
) {
  Deno.test(`a client that gives up while ${moment}, and calls again, gets the same task`, async () => {
    const backend = new LockedBackend(held);
    await using bench = new Bench(new AdaptiveExposureStrategy(), backend);
    const { gate, surface } = await exposeGated(bench);
    gate.open();
    const caller = new AbortController();
    const first = call(surface, "gated", { user: "Ada" }, { signal: caller.signal }).catch(() => {});
    await backend.reached;
    caller.abort(new CallTimedOut("The client's time limit for the call has passed."));
    const again = call(surface, "gated", { user: "Ada" });
    backend.letGo();
    await first;
    assertEquals((await again).structuredContent, { user: "Ada" });
    assertEquals(gate.runs, 1);
    assertEquals((await bench.tasks.list(ME)).tasks.length, 1);
  });
}

Deno.test("the next call receives a result that could not be read because the store failed", async () => {
  const backend = new MemoryBackend();
  await using bench = new Bench(new AdaptiveExposureStrategy(), backend);
  const { gate, surface } = await exposeGated(bench);
  gate.open();
  const read = backend.outcome.bind(backend);
  backend.outcome = () => Promise.reject(new BackendError("The store is away."));
  await assertRejects(() => call(surface, "gated", { user: "Ada" }), BackendError);
  backend.outcome = read;
  assertEquals((await call(surface, "gated", { user: "Ada" })).structuredContent, { user: "Ada" });
  assertEquals(gate.runs, 1);
});

Deno.test("the next call receives a result that was ready while no call was waiting", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const { gate, surface } = await exposeGated(bench);
  await giveUp(surface, gate, { user: "Ada" });
  const { tasks: [task] } = await bench.tasks.list(ME);
  gate.open();
  await bench.until(String(task?.id), ({ status }) => status === "COMPLETED");
  assertEquals((await call(surface, "gated", { user: "Ada" })).structuredContent, { user: "Ada" });
  assertEquals(gate.runs, 1);
});

Deno.test("the next call receives a failure that no call has received, and the one after it starts the job again", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const gate = new Gate(new ToolError("There is no such user."));
  const surface = bench.exposeAll(gate.job);
  await bench.work(gate.job);
  await giveUp(surface, gate, { user: "Ada" });
  const { tasks: [task] } = await bench.tasks.list(ME);
  gate.open();
  await bench.until(String(task?.id), ({ status }) => status === "FAILED");
  const answer = await call(surface, "gated", { user: "Ada" });
  assertEquals([answer.isError, answer.content, gate.runs], [
    true,
    [{ type: "text", text: "Failed: There is no such user." }],
    1,
  ]);
  await call(surface, "gated", { user: "Ada" });
  assertEquals(gate.runs, 2);
});

Deno.test("another owner or another input starts a new task", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const gate = new Gate();
  const surface = bench.exposeAll(gate.job);
  await using patient = new Bench(new AdaptiveExposureStrategy());
  await patient.work(gate.job);
  await giveUp(patient.exposeAll(gate.job), gate, { user: "Ada" });
  const start = (user: string, owner = ME) => call(surface, "gated", { user }, { owner });
  const tokens = [await start("Ada", "stranger"), await start("Eve")].map(tokenOf);
  assertEquals(new Set(tokens).size, 2);
  gate.open();
});

Deno.test("after a call has received a handle, the next call starts a new task", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const surface = bench.exposeAll(new Gate().job);
  const tokens = [await call(surface, "gated", { user: "Ada" }), await call(surface, "gated", { user: "Ada" })];
  assertEquals(new Set(tokens.map(tokenOf)).size, 2);
});

/** A backend whose tasks count as those that go on after the end of the process. */
class KeptBackend extends MemoryBackend {
  override readonly volatile = false;
}

for (const strategy of [new BlockingExposureStrategy(), new OperationResourceStrategy()]) {
  const { name } = strategy.constructor;
  Deno.test(`${name}: the next call takes over a task whose call was ended by the shutdown of its server`, async () => {
    await using bench = new Bench(strategy, new KeptBackend());
    const { gate, surface } = await exposeGated(bench);
    const waiting = assertRejects(() => call(surface, "gated", { user: "Ada" }), Unavailable);
    await gate.begun;
    bench.tasks.stopWaiting(new Unavailable("The server is shutting down."));
    await waiting;
    await using next = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }), bench.backend);
    const { tasks: [task] } = await bench.tasks.list(ME);
    assertEquals(task?.status, "RUNNING");
    assertEquals(tokenOf(await call(next.exposeAll(gate.job), "gated", { user: "Ada" })), task?.id);
    gate.open();
  });
}

Deno.test("AdaptiveExposureStrategy: a call that waits as its server shuts down gets its handle, or its task", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ inlineWithin: 60_000 }), new KeptBackend());
  const { gate, surface } = await exposeGated(bench);
  const waiting = call(surface, "gated", { user: "Ada" });
  await gate.begun;
  const { tasks: [task] } = await bench.tasks.list(ME);
  const status = call(surface, "task_status", { token: task?.id, wait_seconds: 25 });
  const native = callFor(surface, "gated", { user: "Eve" }, { client: { ...PLAIN, tasks: "accepted" } });
  await bench.untilWatched(2);
  bench.tasks.stopWaiting(new Unavailable("The server is shutting down."));
  for (const { structuredContent } of [await waiting, await status]) {
    assertEquals([structuredContent?.token, structuredContent?.status], [task?.id, "RUNNING"]);
    assertMatch(String(structuredContent?.next), /^Call task_status with this token/);
  }
  assertEquals((await native).kind, "task");
  // A call that has just been accepted is answered, too.
  assert(tokenOf(await call(surface, "gated", { user: "Bob" })));
  gate.open();
});

Deno.test("a check that waits as its server shuts down gets the status at once", async () => {
  for (const strategy of [new PollingExposureStrategy(), new SingleToolExposureStrategy()]) {
    await using bench = new Bench(strategy, new KeptBackend());
    const surface = bench.exposeAll(new Gate().job);
    const polls = strategy instanceof PollingExposureStrategy;
    const input = { user: "Ada" };
    const started = polls ? call(surface, "gated_start", input) : call(surface, "gated", { action: "start", input });
    const token = tokenOf(await started);
    const check = { token, wait_seconds: 25 };
    const waiting = polls
      ? call(surface, "gated_status", check)
      : call(surface, "gated", { action: "check", ...check });
    await bench.untilWatched(1);
    bench.tasks.stopWaiting(new Unavailable("The server is shutting down."));
    assertEquals((await waiting).structuredContent?.status, "PENDING");
  }
});

Deno.test("a call that waits for a task in memory as its server shuts down gets an error: the task ends with it", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const surface = bench.exposeAll(new Gate().job);
  const waiting = assertRejects(() => call(surface, "gated", { user: "Ada" }), Unavailable, "It ends.");
  await bench.untilWatched(1);
  bench.tasks.stopWaiting(new Unavailable("It ends."));
  await waiting;
});

Deno.test("repeated starts of a unique job receive the same task, also while the first caller waits", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy({ answerWithin: 0 }));
  const surface = bench.expose(new Gate().job, { unique: true });
  const tokens = await Promise.all([1, 2, 3].map(async () => tokenOf(await call(surface, "gated", { user: "Ada" }))));
  assertEquals(new Set(tokens).size, 1);
  assert(tokenOf(await call(surface, "gated", { user: "Eve" })) !== tokens[0]);
});

Deno.test("a unique job can define which starts are equal, and how long that lasts after the end", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const gate = new Gate();
  const unique = { key: ({ user }: { user: string }) => user, for: 60_000 };
  const surface = bench.expose(gate.job, { unique });
  const start = async (year: number) => tokenOf(await call(surface, "gated_start", { user: "Ada", year }));
  const token = await start(2025);
  await bench.work(gate.job);
  gate.open();
  await bench.until(String(token), ({ status }) => status === "COMPLETED");
  assertEquals(await start(2026), token);
});

Deno.test("calls with the same idempotency key receive the same task, and a different input is refused", async () => {
  await using bench = new Bench(new PollingExposureStrategy());
  const surface = bench.expose(new Gate().job);
  const start = (user: string, idempotencyKey: string) => call(surface, "gated_start", { user }, { idempotencyKey });
  const token = tokenOf(await start("Ada", "one"));
  assert(token);
  assertEquals(tokenOf(await start("Ada", "one")), token);
  assert(tokenOf(await start("Ada", "two")) !== token);
  await assertRejects(() => start("Eve", "one"), InvalidInput, "idempotency key");
});

Deno.test("a call with another idempotency key starts its own task, and leaves the task of a caller who is gone to its own key", async () => {
  await using bench = new Bench(new AdaptiveExposureStrategy());
  const gate = new Gate();
  const surface = bench.exposeAll(gate.job);
  const caller = new AbortController();
  await bench.work(gate.job);
  const begin = (idempotencyKey: string, signal?: AbortSignal) =>
    call(surface, "gated", { user: "Ada" }, { idempotencyKey, signal });
  const first = assertRejects(() => begin("one", caller.signal), JobsError);
  await gate.begun;
  caller.abort(new CallTimedOut("The client's time limit for the call has passed."));
  await first;
  gate.open();
  const answers = [await begin("two"), await call(surface, "gated", { user: "Ada" }), await begin("one")];
  assertEquals(new Set(answers.map(({ _meta }) => _meta?.resourceUri)).size, 3);
  assertEquals(gate.runs, 3);
});

/** Lets a test wait until starts have received their tasks. */
class ObservedBackend extends MemoryBackend {
  #starts = 0;
  readonly #waiting = new Map<number, () => void>();

  /** Resolves once so many starts have received their tasks, and their calls wait. */
  async started(count: number): Promise<void> {
    if (this.#starts < count) await new Promise<void>((resolve) => this.#waiting.set(count, resolve));
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  }

  override async create(...args: Parameters<MemoryBackend["create"]>): Promise<TaskInfo> {
    try {
      return await super.create(...args);
    } finally {
      this.#waiting.get(++this.#starts)?.();
    }
  }
}

/** A unique job with two calls that wait for its one task, which the first has started. */
async function twoCallers(strategy: ExposureStrategy) {
  const backend = new ObservedBackend();
  const bench = new Bench(strategy, backend);
  const gate = new Gate();
  const surface = merge([bench.expose(gate.job, { unique: true })], bench.tasks);
  await bench.work(gate.job);
  const callers = [new AbortController(), new AbortController()] as const;
  const begin = (caller: AbortController) => call(surface, "gated", { user: "Ada" }, { signal: caller.signal });
  const first = begin(callers[0]);
  await gate.begun;
  const second = begin(callers[1]);
  await backend.started(2);
  const { tasks: [task] } = await bench.tasks.list(ME);
  const status = async () => (await bench.tasks.get(String(task?.id), ME)).status;
  return { bench, gate, surface, callers, first, second, status, token: task?.id };
}

const CANCELLED = new CallCancelled("The call was cancelled.");

Deno.test("a call that is cancelled leaves its unique task to another call that waits for it", async () => {
  await using _time = new PassingTime();
  const { bench, gate, callers, first, second } = await twoCallers(new AdaptiveExposureStrategy());
  await using _bench = bench;
  callers[0].abort(CANCELLED);
  await assertRejects(() => first, CallCancelled);
  gate.open();
  assertEquals((await second).structuredContent, { user: "Ada" });
  assertEquals(gate.runs, 1);
});

Deno.test("the last call that waits for a unique task cancels it, whether it has started or found it", async () => {
  await using _time = new PassingTime();
  for (const [first, last] of [[0, 1], [1, 0]] as const) {
    const { bench, gate, callers, ...calls } = await twoCallers(new AdaptiveExposureStrategy());
    await using _bench = bench;
    callers[first].abort(CANCELLED);
    await assertRejects(() => first ? calls.second : calls.first, CallCancelled);
    assertEquals(await calls.status(), "RUNNING");
    callers[last].abort(CANCELLED);
    await assertRejects(() => last ? calls.second : calls.first, CallCancelled);
    assertEquals(await calls.status(), "CANCELLED");
    gate.open();
  }
});

Deno.test("calls that are cancelled at the same moment cancel their unique task", async () => {
  await using _time = new PassingTime();
  const { bench, gate, callers, first, second, status } = await twoCallers(new AdaptiveExposureStrategy());
  await using _bench = bench;
  for (const caller of callers) caller.abort(CANCELLED);
  await Promise.all([first, second].map((waiting) => assertRejects(() => waiting, CallCancelled)));
  assertEquals(await status(), "CANCELLED");
  gate.open();
});

Deno.test("a call that is cancelled does not end a unique task of which another caller has the handle", async () => {
  await using _time = new PassingTime();
  const { bench, gate, surface, callers, first, second, status } = await twoCallers(new AdaptiveExposureStrategy());
  await using _bench = bench;
  const client = { ...PLAIN, tasks: "demanded" } as const;
  const native = await callFor(surface, "gated", { user: "Ada" }, { client });
  assertEquals(native.kind, "task");
  for (const caller of callers) caller.abort(CANCELLED);
  await Promise.all([first, second].map((waiting) => assertRejects(() => waiting, CallCancelled)));
  assertEquals(await status(), "RUNNING");
  gate.open();
});

Deno.test("task_cancel cancels a task for which calls wait: each gets an error that its model can read", async () => {
  await using _time = new PassingTime();
  const { bench, gate, surface, first, second, status, token } = await twoCallers(new AdaptiveExposureStrategy());
  await using _bench = bench;
  assertEquals((await call(surface, "task_cancel", { token })).structuredContent?.status, "CANCELLED");
  for (const { content, isError } of await Promise.all([first, second])) {
    assertEquals(isError, true);
    assertMatch(JSON.stringify(content), /"text":"The task was cancelled/);
  }
  assertEquals(await status(), "CANCELLED");
  gate.open();
});

Deno.test("a blocking call whose time is over leaves its unique task to another call that waits, and the last one cancels it", async () => {
  await using _time = new PassingTime();
  const { bench, gate, first, second } = await twoCallers(new BlockingExposureStrategy({ maxWait: 300 }));
  await using _bench = bench;
  await assertRejects(() => first, ToolError, "It goes on for another caller.");
  await assertRejects(() => second, ToolError, "and was cancelled.");
  gate.open();
});
