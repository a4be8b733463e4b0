import type { Attempt, Claim } from "../../../../src/backend.ts";
import { doneWithin, LONGEST_TIMER_MS, turn } from "../../../../src/waiting.ts";
import { BackendError, InvalidValue } from "../../../../src/errors.ts";
import { Runner } from "../../../../src/backends/shared/running/runner.ts";
import type { RunnerStore } from "../../../../src/backends/shared/running/runner_store.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { assert, assertEquals, FakeTime } from "../../../../tools/std.ts";
import { pass } from "../../../support/time.ts";
import { claimed, UNUSED, withOneTask } from "./one_task.ts";

const AFTER: readonly (readonly [what: string, task: TaskInfo])[] = [
  ["an event after it does", { ...claimed, status: "PENDING", revision: 3 }],
  [
    "its end does, although a failover has lost the claim",
    { ...claimed, status: "CANCELLED", revision: 1, finishedAt: 0, work: "never_started" },
  ],
];

for (const [what, after] of AFTER) {
  Deno.test(`a late event from before a claim takes no task from its worker, and ${what}`, async () => {
    const store = withOneTask({});
    const { promise: running, resolve } = Promise.withResolvers<Claim>();
    const runner = new Runner(store, {
      jobs: ["wait"],
      concurrency: 1,
      run: async (claim) => {
        resolve(claim);
        await new Promise<void>((done) => claim.signal.addEventListener("abort", () => done()));
        return { kind: "error", message: "stopped", retry: false };
      },
    }, Promise.resolve());
    const { signal } = await running;
    runner.receive({ ...claimed, status: "PENDING", revision: 1, attempt: 0 });
    assertEquals(signal.aborted, false);
    runner.receive(after);
    assertEquals(signal.aborted, true);
    await runner.stop(0);
  });
}

Deno.test("reports, the parking and the result of a lost run are ignored once its task has come back to this worker", async () => {
  const runs: { readonly claim: Claim; readonly end: (attempt: Attempt) => void }[] = [];
  const settled: Attempt[] = [];
  const reported: unknown[] = [];
  const parked: unknown[] = [];
  let left = 2;
  let changed = Promise.withResolvers<void>();
  const store: RunnerStore = {
    ...UNUSED,
    claim: () => {
      const again = { ...claimed, revision: 6 - 2 * left, attempt: 3 - left };
      return Promise.resolve({
        claims: left-- > 0 ? [{ task: again, input: {}, mayHaveSteps: false }] : [],
        more: false,
      });
    },
    report: (_id, { progress }) => Promise.resolve(void reported.push(progress)),
    ask: () => Promise.resolve([]),
    answer: () => Promise.resolve(undefined),
    settle: (_id, attempt) => {
      settled.push(attempt);
      changed.resolve();
      return Promise.resolve();
    },
    handBack: () => Promise.resolve(),
    park: ({ revision }) => Promise.resolve(void parked.push(revision)),
  };
  const runner = new Runner(store, {
    jobs: ["wait"],
    concurrency: 2,
    run: (claim) =>
      new Promise((end) => {
        runs.push({ claim, end });
        changed.resolve();
      }),
  }, Promise.resolve());
  const next = async () => {
    await changed.promise;
    changed = Promise.withResolvers();
  };
  await next();
  runner.lose(claimed.id);
  runner.wake();
  await next();
  assertEquals(runs.map(({ claim }) => claim.signal.aborted), [true, false]);
  await runs[0]?.claim.report({ progress: 0.9 });
  await runs[0]?.claim.park();
  runs[0]?.end({ kind: "value", value: "old" });
  await runs[1]?.claim.report({ progress: 0.1 });
  runs[1]?.end({ kind: "value", value: "new" });
  await next();
  await runner.stop(0);
  assertEquals([settled, reported, parked], [[{ kind: "value", value: "new" }], [0.1], []]);
});

Deno.test("a task is parked only once its question is stored, for which it waits", async () => {
  const writes: string[] = [];
  const [asking, stored, parked] = [0, 0, 0].map(() => Promise.withResolvers<void>());
  const store = withOneTask({
    ask: async () => {
      asking?.resolve();
      await stored?.promise;
      writes.push("question");
      return [];
    },
    park: (_claim, { keys }) => {
      parked?.resolve();
      return Promise.resolve(void writes.push(`parked for ${keys}`));
    },
  });
  const run = async (claim: Claim): Promise<Attempt> => {
    claim.ask({ key: "which", message: "Which?", schema: {} }).catch(() => {});
    await asking?.promise;
    void claim.park();
    await turn();
    stored?.resolve();
    return { kind: "value", value: "dropped" };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await parked?.promise;
  await runner.stop(0);
  assertEquals(writes, ["question", "parked for which"]);
});

/** Runs one task to its end on a store that does with each settling as it likes. Resolves once one was stored. */
async function settleOn(attempt: Attempt, settle: (attempt: Attempt) => void): Promise<Attempt> {
  const { promise: stored, resolve } = Promise.withResolvers<Attempt>();
  const store = withOneTask({
    // deno-lint-ignore require-await
    settle: async (_id, attempt) => {
      settle(attempt);
      resolve(attempt);
    },
  });
  const options = { jobs: ["wait"], concurrency: 1, run: () => Promise.resolve(attempt) };
  using time = new FakeTime();
  const runner = new Runner(store, options, Promise.resolve());
  try {
    return await pass(time, stored);
  } finally {
    await runner.stop(0);
  }
}

Deno.test("a result that can never be stored ends its task with a fault that says why", async () => {
  const end = await settleOn({ kind: "value", value: "large" }, ({ kind }) => {
    if (kind === "value") throw new InvalidValue("Value too large.");
  });
  assertEquals(end, { kind: "fault", message: "The result of the attempt could not be stored: Value too large." });
});

Deno.test("a result that cannot be stored while the store is away is stored once it is back", async () => {
  let away = 1;
  const end = await settleOn({ kind: "value", value: "done" }, () => {
    if (away-- > 0) throw new BackendError("The store is away.");
  });
  assertEquals(end, { kind: "value", value: "done" });
});

Deno.test("the fault of a result that can never be stored is stored, too, once the store is back", async () => {
  let away = 1;
  const end = await settleOn({ kind: "value", value: "large" }, ({ kind }) => {
    if (kind === "value") throw new InvalidValue("Value too large.");
    if (away-- > 0) throw new BackendError("The store is away.");
  });
  assertEquals(end.kind, "fault");
});

Deno.test("the end of a task that was claimed but cannot run is written again until the store is back", async () => {
  const { promise: written, resolve } = Promise.withResolvers<void>();
  let [left, away] = [1, 1];
  // deno-lint-ignore require-await
  const end = async () => {
    if (away-- > 0) throw new BackendError("The store is away.");
    resolve();
  };
  const failed = { task: claimed, end };
  const store: RunnerStore = {
    ...UNUSED,
    claim: () => Promise.resolve({ claims: [], failed: left-- > 0 ? [failed] : [], more: false }),
    report: () => Promise.resolve(),
    ask: () => Promise.resolve([]),
    answer: () => Promise.resolve(undefined),
    settle: () => Promise.resolve(),
    handBack: () => Promise.resolve(),
  };
  const run = () => Promise.reject(new Error("It does not run."));
  using time = new FakeTime();
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await pass(time, written);
  await runner.stop(0);
});

/** A store that gives out one task, once `found` is there, and tells what becomes of it. */
function oneTask(found: Promise<unknown> = Promise.resolve()) {
  const [ends, looked]: [unknown[], PromiseWithResolvers<void>] = [[], Promise.withResolvers()];
  let left = 1;
  const store: RunnerStore = {
    ...UNUSED,
    claim: async () => {
      looked.resolve();
      await found;
      return { claims: left-- > 0 ? [{ task: claimed, input: {}, mayHaveSteps: false }] : [], more: false };
    },
    report: () => Promise.resolve(),
    ask: () => Promise.resolve([]),
    answer: () => Promise.resolve(undefined),
    settle: (_id, attempt) => Promise.resolve(void ends.push(["settled", attempt.kind])),
    handBack: (_id, abandoned) => Promise.resolve(void ends.push(["handed back", abandoned])),
  };
  return { store, ends, looked: looked.promise };
}

function untilAborted({ signal }: Claim): Promise<void> {
  return new Promise((resolve) => signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve()));
}

Deno.test("a task that is asked to stop while it is being claimed is stopped as soon as it runs", async () => {
  const found = Promise.withResolvers<void>();
  const { store, looked } = oneTask(found.promise);
  const reason = Promise.withResolvers<unknown>();
  const runner = new Runner(store, {
    jobs: ["wait"],
    concurrency: 1,
    run: async (claim) => {
      reason.resolve(claim.signal.aborted || await untilAborted(claim));
      return { kind: "error", message: "stopped", retry: false };
    },
  }, Promise.resolve());
  await looked;
  runner.receive({ ...claimed, revision: 3, stopRequested: true });
  found.resolve();
  // A worker that did not hear of it would run until it is closed.
  assertEquals(await doneWithin(reason.promise, 5_000), true);
  await runner.stop(0);
});

Deno.test("where a claim costs something, one fills all slots that become free at the same moment", async () => {
  const wanted: number[] = [];
  const [running, again, ends] = [0, 0, 0].map(() => Promise.withResolvers<void>());
  const store = withOneTask({
    claimsCost: true,
    claim: (max) => {
      const task = (number: number) => ({ task: { ...claimed, id: String(number) }, input: {}, mayHaveSteps: false });
      const claims = wanted.push(max) === 1 ? Array.from({ length: max }, (_, number) => task(number)) : [];
      if (claims.length === 0) again?.resolve();
      return Promise.resolve({ claims, more: claims.length > 0 });
    },
  });
  let runs = 0;
  const run = async (): Promise<Attempt> => {
    if (++runs === 4) running?.resolve();
    await ends?.promise;
    return { kind: "value", value: "done" };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 4, run }, Promise.resolve());
  await running?.promise;
  await turn(); // The claim is over then.
  ends?.resolve();
  await again?.promise;
  await runner.stop(0);
  assertEquals(wanted, [4, 4]);
});

Deno.test("a worker that was told to stop claims nothing more", async () => {
  let claims = 0;
  const store = withOneTask({
    claimsCost: true,
    claim: () => Promise.resolve({ claims: [], more: claims++ === 0 }),
  });
  const ready = Promise.resolve();
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run: () => Promise.reject() }, ready);
  await runner.ready;
  await runner.stop(0);
  assertEquals(claims, 0);
});

Deno.test("tasks that are being claimed as their worker shuts down are handed back", async () => {
  const found = Promise.withResolvers<void>();
  const { store, ends, looked } = oneTask(found.promise);
  const run = async (claim: Claim): Promise<Attempt> => {
    await untilAborted(claim);
    return { kind: "error", message: "stopped", retry: true };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await looked;
  const stopped = runner.stop(0);
  found.resolve();
  await stopped;
  assertEquals(ends, [["handed back", false]]);
});

Deno.test("a result that is returned while the worker shuts down is stored, so that its work is not done twice", async () => {
  const { store, ends } = oneTask();
  const began = Promise.withResolvers<void>();
  const run = async (claim: Claim): Promise<Attempt> => {
    began.resolve();
    await untilAborted(claim);
    return { kind: "value", value: "done" };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await began.promise;
  await runner.stop(0);
  assertEquals(ends, [["settled", "value"]]);
});

Deno.test("a worker whose store stays away shuts down all the same", async () => {
  using time = new FakeTime(0);
  const { store } = oneTask();
  const failed = Promise.withResolvers<void>();
  store.settle = () => {
    failed.resolve();
    return Promise.reject(new BackendError("The store is away."));
  };
  const run = () => Promise.resolve({ kind: "value", value: "done" } as const);
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await failed.promise;
  await pass(time, runner.stop(0));
  assert(time.now <= 5_000, `It took ${time.now} ms.`);
});

Deno.test("a job's question is stored, and its answer read, again while the store fails", async () => {
  using time = new FakeTime();
  let [asks, answers] = [0, 0];
  const away = new BackendError("The store is away.");
  const settled = Promise.withResolvers<Attempt>();
  const stored = Promise.withResolvers<void>();
  const store = withOneTask({
    ask: () => {
      if (asks++ === 0) return Promise.reject(away);
      stored.resolve();
      return Promise.resolve([]);
    },
    answer: () => answers++ === 0 ? Promise.reject(away) : Promise.resolve({ action: "decline" }),
    settle: (_id, attempt) => Promise.resolve(settled.resolve(attempt)),
  });
  const runner = new Runner(store, {
    jobs: ["wait"],
    concurrency: 1,
    run: async ({ ask }) => {
      const { action } = await ask({ key: "which", message: "Which?", schema: {} });
      return { kind: "value", value: action };
    },
  }, Promise.resolve());
  await pass(time, stored.promise);
  runner.receive({ ...claimed, revision: 3 }); // No question is open any more.
  assertEquals(await pass(time, settled.promise), { kind: "value", value: "decline" });
  await runner.stop(0);
});

Deno.test("a search for tasks that fails is repeated after a pause", async () => {
  using time = new FakeTime();
  const { promise: repeated, resolve } = Promise.withResolvers<void>();
  let searches = 0;
  const claim = () => {
    if (searches++ === 0) return Promise.reject(new BackendError("The store is away."));
    resolve();
    return Promise.resolve({ claims: [], more: false });
  };
  const run = () => new Promise<never>(() => {});
  const options = { jobs: ["wait"], concurrency: 1, run, onError: () => {} };
  const runner = new Runner(withOneTask({ claim }), options, Promise.resolve());
  await pass(time, repeated);
  await runner.stop(0);
});

Deno.test("a worker waits for a task that is due in 40 days, and does not search without pause", async () => {
  using time = new FakeTime(0);
  const { promise: again, resolve } = Promise.withResolvers<void>();
  let searches = 0;
  const claim = () => {
    if (searches++ > 0) resolve();
    return Promise.resolve({ claims: [], more: false, dueIn: 40 * 24 * 3_600_000 });
  };
  const run = () => new Promise<never>(() => {});
  const runner = new Runner(withOneTask({ claim }), { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await pass(time, again);
  assertEquals(time.now, LONGEST_TIMER_MS);
  await runner.stop(0);
});

Deno.test("a worker that is told to stop while it searches leaves no timer for a task that is due later", async () => {
  const found = Promise.withResolvers<void>();
  const began = Promise.withResolvers<void>();
  const claim = async () => {
    began.resolve();
    await found.promise;
    return { claims: [], more: false, dueIn: 60_000 };
  };
  const run = () => new Promise<never>(() => {});
  const runner = new Runner(withOneTask({ claim }), { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await began.promise;
  const stopped = runner.stop(0);
  found.resolve();
  await stopped;
});

Deno.test("an attempt that fails while its worker lets it finish counts, and is not handed back", async () => {
  const { store, ends } = oneTask();
  const [began, fail] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const run = async (): Promise<Attempt> => {
    began.resolve();
    await fail.promise;
    return { kind: "error", message: "broken", retry: true };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await began.promise;
  const stopped = runner.stop(60_000);
  fail.resolve();
  await stopped;
  assertEquals(ends, [["settled", "error"]]);
});

Deno.test("a task whose code was given up is handed back as one whose code may run on", async () => {
  const { store, ends } = oneTask();
  const began = Promise.withResolvers<void>();
  const run = async (claim: Claim): Promise<Attempt> => {
    began.resolve();
    await untilAborted(claim);
    return { kind: "error", message: "timed out", retry: true, abandoned: true };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await began.promise;
  await runner.stop(0);
  assertEquals(ends, [["handed back", true]]);
});

Deno.test("a worker has stopped only once the results of its tasks are stored", async () => {
  const { promise: settling, resolve } = Promise.withResolvers<void>();
  const stored = Promise.withResolvers<void>();
  const writes: string[] = [];
  const store = withOneTask({
    settle: async () => {
      resolve();
      await stored.promise;
      writes.push("settled");
    },
  });
  const run = () => Promise.resolve({ kind: "value", value: "done" } as const);
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await settling;
  const stopped = runner.stop(0).then(() => writes.push("stopped"));
  await turn();
  stored.resolve();
  await stopped;
  assertEquals(writes, ["settled", "stopped"]);
});

Deno.test("an attempt that ends while a step is being recorded is settled after that, so that the step is not repeated", async () => {
  const recorded = Promise.withResolvers<void>();
  const { promise: settled, resolve } = Promise.withResolvers<void>();
  const writes: string[] = [];
  const store = withOneTask({
    record: async () => {
      await recorded.promise;
      writes.push("recorded");
    },
    settle: () => Promise.resolve(writes.push("settled")).then(() => resolve()),
  });
  const run = async (claim: Claim): Promise<Attempt> => {
    void claim.record({ index: 0, text: "{}" });
    await turn();
    queueMicrotask(() => void turn().then(recorded.resolve));
    return { kind: "error", message: "broken", retry: true };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await settled;
  await runner.stop(0);
  assertEquals(writes, ["recorded", "settled"]);
});

/** Runs code whose step the store refuses with these errors, one after the other. Returns what its attempt ends with. */
async function recordOn(...refusals: Error[]): Promise<unknown> {
  using time = new FakeTime();
  const { promise: ended, resolve } = Promise.withResolvers<unknown>();
  const store = withOneTask({
    record: () => {
      const refusal = refusals.shift();
      return refusal ? Promise.reject(refusal) : Promise.resolve();
    },
  });
  const run = async (claim: Claim): Promise<Attempt> => {
    await claim.record({ index: 0, text: "{}" }).then(() => resolve("recorded"), resolve);
    return { kind: "value", value: "done" };
  };
  const ready = Promise.resolve();
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run, onError: () => {} }, ready);
  try {
    return await pass(time, ended);
  } finally {
    await runner.stop(0);
  }
}

Deno.test("a step is recorded once the store is back, and code whose step can never be stored learns that at once", async () => {
  const invalid = new InvalidValue("Value too large.");
  assertEquals(await recordOn(new BackendError("The store is away.")), "recorded");
  assertEquals(await recordOn(invalid), invalid);
});

Deno.test("a question that cannot be stored is tried once more as its worker stops, and then given up", async () => {
  using time = new FakeTime(0);
  const failed = Promise.withResolvers<void>();
  let asks = 0;
  const store = withOneTask({
    ask: () => {
      asks++;
      failed.resolve();
      return Promise.reject(new BackendError("The store is away."));
    },
  });
  const run = async (claim: Claim): Promise<Attempt> => {
    await claim.ask({ key: "which", message: "Which?", schema: {} }).catch(() => {});
    return { kind: "error", message: "stopped", retry: true };
  };
  const ready = Promise.resolve();
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run, onError: () => {} }, ready);
  await failed.promise;
  await pass(time, runner.stop(0));
  assertEquals([asks, time.next()], [2, false]);
});

Deno.test("a question that expires in 40 days is not asked of the store without pause", async () => {
  using time = new FakeTime(0);
  const { promise: again, resolve } = Promise.withResolvers<void>();
  let asks = 0;
  const store = withOneTask({
    ask: () => {
      if (asks++ > 0) resolve();
      return Promise.resolve([{ expiresIn: 40 * 24 * 3_600_000 }]);
    },
  });
  const run = async (claim: Claim): Promise<Attempt> => {
    await claim.ask({ key: "which", message: "Which?", schema: {} }).catch(() => {});
    return { kind: "error", message: "stopped", retry: true };
  };
  const runner = new Runner(store, { jobs: ["wait"], concurrency: 1, run }, Promise.resolve());
  await pass(time, again);
  assertEquals(time.now, LONGEST_TIMER_MS);
  await pass(time, runner.stop(0));
});
