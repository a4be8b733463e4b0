import { type Attempt, type Claim, Hub, type Outcome, StoreBackend, type TaskRecord } from "../../../../backend.ts";
import { createWorker, defineJob } from "../../../../mod.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { Runner } from "../../../../src/backends/shared/running/runner.ts";
import type { ClaimName } from "../../../../src/backends/shared/running/runner_store.ts";
import { Claims } from "../../../../src/backends/shared/claiming/claims.ts";
import { HeldClaims } from "../../../../src/backends/shared/claiming/held.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { BackendError } from "../../../../src/errors.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import { openQuestions, type Question } from "../../../../src/task.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { pause, turn } from "../../../../src/waiting.ts";
import { assert, assertEquals, assertRejects, FakeTime } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";
import { pass } from "../../../support/time.ts";
import { newTask } from "../../../support/tasks.ts";

/** Stores at once that a task is parked, but answers only when `answer` resolves, as over a slow connection. */
class SlowStore extends MemoryStore {
  readonly answer = Promise.withResolvers<void>();

  override async change(entry: Parameters<MemoryStore["change"]>[0], record: TaskRecord, outcome?: Outcome) {
    const changed = await super.change(entry, record, outcome);
    if ("parked" in record.info) await this.answer.promise;
    return changed;
  }
}

class OwnBackend extends StoreBackend {
  constructor(readonly store: MemoryStore, hub: Hub) {
    super(store, hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that claims a parked task again before it learns that it was parked goes on with the recorded steps", async () => {
  const hub = new Hub();
  const store = new SlowStore(hub);
  await using backend = new OwnBackend(store, hub);
  let [runs, steps] = [0, 0];
  const job = defineJob({
    name: "approve",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, ctx) => {
      if (++runs === 2) {
        store.answer.resolve();
        await pause(0); // All that waited for it has run.
      }
      const first = await ctx.step("first", () => ++steps);
      await ctx.elicit({ message: "Go on?", schema: { type: "object", properties: {} } });
      return first;
    },
  });
  await using worker = createWorker(backend, [job], { concurrency: 1 });
  await worker.ready;
  using feed = new TaskFeed(backend);
  const [id, owner] = [newTaskId(), "me"];
  await backend.create(newTask({ id, job: "approve", owner }));
  await feed.wait(id, owner, new AbortController().signal, (task) => {
    const [question] = "parked" in task && task.questions || [];
    if (question) void backend.answer(id, owner, { [question.key]: { action: "accept", content: {} } });
  });
  assertEquals(await backend.outcome(id, owner), { kind: "value", value: 1 });
  assertEquals([runs, steps], [2, 1]);
});

const OWNER = "me";

/** Claims of one worker, and what it was told to have lost. */
function claimsOf(store: MemoryStore) {
  const lost: string[] = [];
  const listener = { hasRoom: () => true, lose: (id: string) => void lost.push(id), onError: ignored };
  const worker = newWorker(["job"]);
  return { claims: new Claims(store, worker, listener), lost, worker: worker.name };
}

async function create(store: MemoryStore): Promise<string> {
  const id = newTaskId();
  const record = change.created(newTask({ id, owner: OWNER }), Date.now());
  assert(await store.create(record, "{}"));
  return id;
}

Deno.test("a worker that has lost its task, to another one or to a later claim of its own, changes it no more", async () => {
  const writes: { readonly [name: string]: (claims: Claims, task: ClaimName) => Promise<unknown> } = {
    settle: (claims, task) => claims.settle(task, { kind: "value", value: "too late" }),
    report: (claims, task) => claims.report(task, { message: "too late" }, { skipped: 0, lines: [] }),
    ask: (claims, task) => claims.ask(task, [{ key: "sure", message: "Sure?", schema: { type: "object" } }]),
    park: (claims, task) => claims.park(task, { keys: [], until: Date.now() + 60_000 }),
    handBack: (claims, task) => claims.handBack(task, false),
    record: (claims, task) => claims.record(task, { index: 0, text: "{}" }),
  };
  const lose = async (write: (claims: Claims, task: ClaimName) => Promise<unknown>, toItself: boolean) => {
    const store = new MemoryStore(new Hub());
    const id = await create(store);
    const { claims, lost, worker } = claimsOf(store);
    const [claim] = (await claims.claim(1)).claims;
    const held = await store.read(id, OWNER);
    assert(claim && held);
    const free = await store.change(held, change.crashed(held.record, [], Date.now()).record);
    assert(free);
    const taken = await store.change(free, change.claimed(free.record, toItself ? worker : "another", Date.now()));
    await write(claims, claim.task);
    assert(await store.read(id, OWNER) === taken);
    assertEquals([lost, claims.held], [[id], []]);
  };
  for (const write of Object.values(writes)) for (const toItself of [false, true]) await lose(write, toItself);
});

Deno.test("a task that another worker has claimed is lost, although a failover has given its claim the same revision", () => {
  const claims = new HeldClaims("one");
  const record = change.claimed(change.created(newTask(), 1), "one", 2);
  claims.add({ record });
  const held = claims.find(record.info);
  assert(held);
  assertEquals([record, { ...record, holder: "two" }].map((now) => claims.isBy(held, now)), [true, false]);
});

Deno.test("a task that was answered while it was parked is claimed with its answer", async () => {
  const store = new MemoryStore(new Hub());
  const id = await create(store);
  const { claims } = claimsOf(store);
  const [claim] = (await claims.claim(1)).claims;
  assert(claim);
  await claims.ask(claim.task, [{ key: "sure", message: "Sure?", schema: { type: "object" } }]);
  await claims.park(claim.task, { keys: ["sure"] });
  const parked = await store.read(id, OWNER);
  assert(parked);
  await store.change(parked, change.answered(parked.record, { sure: { action: "decline" } }, Date.now()));
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const run = ({ answers }: Claim): Promise<Attempt> => {
    resolve(answers);
    return Promise.resolve({ kind: "value", value: 1 });
  };
  const runner = new Runner(claims, { jobs: ["job"], concurrency: 1, run }, Promise.resolve());
  assertEquals(await promise, { sure: { action: "decline" } });
  await runner.stop(0);
});

Deno.test("tasks that were claimed run although the claim of another one failed, which is then tried again", async () => {
  const store = new MemoryStore(new Hub());
  const ids = [await create(store), await create(store)];
  const take = store.change.bind(store);
  let fails = 1;
  store.change = (entry, ...written) => {
    if (entry.record.info.id === ids[0] && fails-- > 0) return Promise.reject(new Error("The store is away."));
    return take(entry, ...written);
  };
  const { claims } = claimsOf(store);
  const first = await claims.claim(2);
  assertEquals([first.claims.map(({ task }) => task.id), first.more], [[ids[1]], true]);
  assertEquals((await claims.claim(2)).claims.map(({ task }) => task.id), [ids[0]]);
  fails = 1;
  const id = await create(store);
  ids[0] = id;
  await assertRejects(() => claims.claim(1), Error, "The store is away.");
});

Deno.test("tasks that a worker has no room to list as held wait, and are found again", async () => {
  const store = new MemoryStore(new Hub());
  const id = await create(store);
  let hasRoom = false;
  const listener = { hasRoom: () => hasRoom, lose() {}, onError: ignored };
  const claims = new Claims(store, newWorker(["job"]), listener);
  const { claims: none, more } = await claims.claim(1);
  assertEquals([none, more, claims.held], [[], true, []]);
  hasRoom = true;
  assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [id]);
});

Deno.test("a task whose input is being read is held once", async () => {
  const store = new MemoryStore(new Hub());
  const ids = [await create(store), await create(store)];
  const read = Promise.withResolvers<void>();
  const input = store.input.bind(store);
  let reads = 0;
  const reading = Promise.withResolvers<void>();
  store.input = async (entry) => {
    if (++reads === ids.length) reading.resolve();
    await read.promise;
    return await input(entry);
  };
  const { claims } = claimsOf(store);
  const claim = claims.claim(2);
  await reading.promise;
  assertEquals(claims.held.map(({ id }) => id), ids);
  read.resolve();
  await claim;
  assertEquals(claims.held.map(({ id }) => id), ids);
});

Deno.test("claims have settled only once those under way have taken their tasks", async () => {
  const store = new MemoryStore(new Hub());
  await create(store);
  const [writing, written] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const take = store.change.bind(store);
  store.change = async (...change) => {
    writing.resolve();
    await written.promise;
    return await take(...change);
  };
  const { claims } = claimsOf(store);
  void claims.claim(1);
  await writing.promise;
  const order: string[] = [];
  const settled = claims.settled().then(() => order.push("settled"));
  await turn();
  order.push("taken");
  written.resolve();
  await settled;
  assertEquals(order, ["taken", "settled"]);
});

/** Stores that an attempt has failed, but says that it could not, as if the answer of a database were lost. */
class Forgetful extends MemoryStore {
  lost = 1;

  override async change(entry: Parameters<MemoryStore["change"]>[0], record: TaskRecord, outcome?: Outcome) {
    const changed = await super.change(entry, record, outcome);
    if (record.info.status !== "RETRYING") return changed;
    if (this.lost-- > 0) throw new BackendError("The connection was lost.");
    return changed;
  }
}

Deno.test("a failure that is stored again, because its answer was lost, changes nothing of the next attempt", async () => {
  using time = new FakeTime();
  const hub = new Hub();
  const store = new Forgetful(hub);
  await using backend = new OwnBackend(store, hub);
  const attempts: number[] = [];
  const over = Promise.withResolvers<void>();
  const run = async (_: unknown, { attempt, signal }: { readonly attempt: number; readonly signal: AbortSignal }) => {
    attempts.push(attempt);
    if (attempt === 1) throw new Error("Not yet.");
    await over.promise;
    signal.throwIfAborted();
  };
  const job = defineJob({ name: "job", input: { type: "object" }, run });
  const worker = createWorker(backend, [job], { concurrency: 1, onError: ignored });
  await worker.ready;
  using feed = new TaskFeed(backend);
  const [id, owner] = [newTaskId(), "me"];
  const retry = { attempts: 2, delay: 10, maxDelay: 10 };
  await backend.create(newTask({ id, owner, retry }));
  const ended = feed.wait(id, owner, new AbortController().signal);
  // Longer than the worker waits before it stores the failure again.
  await pass(time, pause(2_000));
  over.resolve();
  const { status } = await pass(time, ended);
  assertEquals([attempts, status], [[1, 2], "COMPLETED"]);
  await pass(time, worker.close());
});

Deno.test("a worker does not search for tasks because one of a job that it does not run was created beside it", async () => {
  const searched: (readonly string[])[] = [];
  class SearchedStore extends MemoryStore {
    override queue() {
      const queue = super.queue();
      return {
        ...queue,
        ready: (...search: Parameters<typeof queue.ready>) => {
          searched.push(search[2]);
          return queue.ready(...search);
        },
      };
    }
  }
  const hub = new Hub();
  await using backend = new OwnBackend(new SearchedStore(hub), hub);
  const ours = defineJob({ name: "ours", input: { type: "object" }, run: () => {} });
  await using worker = createWorker(backend, [ours]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  const create = (job: string) => backend.create(newTask({ job, owner: OWNER }));
  const finish = async () => await feed.wait((await create("ours")).id, OWNER, AbortSignal.timeout(60_000));
  await finish();
  const before = searched.length;
  for (let number = 0; number < 5; number++) await create("another's");
  await finish();
  assertEquals(searched.length - before, 1);
});

Deno.test("code gets the answer to its question though no event tells of it, once a gap does", async () => {
  const hub = new Hub();
  const store = new MemoryStore(new Hub()); // Its own changes are not told.
  await using backend = new OwnBackend(store, hub);
  const { promise: answered, resolve } = Promise.withResolvers<unknown>();
  const asking = Promise.withResolvers<void>();
  const job = defineJob({
    name: "job",
    input: { type: "object" },
    run: async (_, { elicit }) => {
      const answer = elicit({ message: "Sure?", schema: { type: "object" } });
      asking.resolve();
      resolve(await answer);
    },
  });
  await using worker = createWorker(backend, [job]);
  await worker.ready;
  const { id, owner } = await backend.create(newTask());
  hub.ready();
  await asking.promise;
  let questions: readonly Question[] = [];
  while (questions.length === 0) {
    await turn();
    questions = openQuestions(await backend.get(id, owner));
  }
  await backend.answer(id, owner, Object.fromEntries(questions.map(({ key }) => [key, { action: "decline" }])));
  hub.event({ kind: "gap" });
  assertEquals(await answered, { action: "decline" });
});
