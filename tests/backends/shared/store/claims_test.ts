import { Hub, type Outcome, StoreBackend, type TaskRecord } from "../../../../backend.ts";
import { createWorker, defineJob } from "../../../../mod.ts";
import { MemoryStore } from "../../../../src/backends/memory/store.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { Claims } from "../../../../src/backends/shared/store/claims.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import { TaskFeed } from "../../../../src/tasks/feed.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { ignored } from "../../../support/errors.ts";

/** Stores at once that a task is parked, but answers only when `answer` resolves, as over a slow connection. */
class SlowStore extends MemoryStore {
  readonly answer = Promise.withResolvers<void>();

  override async change(entry: Parameters<MemoryStore["change"]>[0], record: TaskRecord, outcome?: Outcome) {
    const changed = await super.change(entry, record, outcome);
    if ("parked" in record.info) await this.answer.promise;
    return changed;
  }
}

class SlowBackend extends StoreBackend {
  constructor(readonly slow: SlowStore, hub: Hub) {
    super(slow, hub, new AsyncDisposableStack());
  }
}

Deno.test("a worker that claims a parked task again before it learns that it was parked goes on with the recorded steps", async () => {
  const hub = new Hub();
  const store = new SlowStore(hub);
  await using backend = new SlowBackend(store, hub);
  let [runs, steps] = [0, 0];
  const job = defineJob({
    name: "approve",
    input: { type: "object" },
    parkAfter: 0,
    run: async (_, ctx) => {
      if (++runs === 2) {
        store.answer.resolve();
        await new Promise((resolve) => setTimeout(resolve)); // All that waited for it has run.
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
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  await backend.create({ id, job: "approve", owner, input: {}, resultTtl: 60_000, retry });
  await feed.wait(id, owner, new AbortController().signal, (task) => {
    const [question] = "parked" in task && task.questions || [];
    if (question) void backend.answer(id, owner, { [question.key]: { action: "accept", content: {} } });
  });
  assertEquals(await backend.outcome(id, owner), { kind: "value", value: 1 });
  assertEquals([runs, steps], [2, 1]);
});

const OWNER = "me";

/** Claims of one worker, and what it was told to have lost. */
function claimsOf(store: MemoryStore): { readonly claims: Claims; readonly lost: readonly string[] } {
  const lost: string[] = [];
  const listener = { hold: () => {}, lose: (id: string) => void lost.push(id), onError: ignored };
  return { claims: new Claims(store, newWorker(["job"]), listener), lost };
}

async function create(store: MemoryStore): Promise<string> {
  const id = newTaskId();
  const retry = { attempts: 1, delay: 0, maxDelay: 0 };
  const record = change.created({ id, job: "job", owner: OWNER, input: {}, resultTtl: 60_000, retry }, Date.now());
  assert(await store.create(record, "{}"));
  return id;
}

Deno.test("a worker that has lost its task to another one changes it no more", async () => {
  const writes: { readonly [name: string]: (claims: Claims, id: string) => Promise<unknown> } = {
    settle: (claims, id) => claims.settle(id, { kind: "value", value: "too late" }),
    report: (claims, id) => claims.report(id, { message: "too late" }, { skipped: 0, lines: [] }),
    ask: (claims, id) => claims.ask(id, [{ key: "sure", message: "Sure?", schema: { type: "object" } }]),
    park: (claims, id) => claims.park(id, { keys: [], until: Date.now() + 60_000 }),
    handBack: (claims, id) => claims.handBack(id, false),
    record: (claims, id) => claims.record(id, { index: 0, text: "{}" }),
  };
  for (const [name, write] of Object.entries(writes)) {
    const store = new MemoryStore(new Hub());
    const id = await create(store);
    const { claims, lost } = claimsOf(store);
    assertEquals((await claims.claim(1)).claims.length, 1);
    const held = await store.read(id, OWNER);
    assert(held);
    const free = await store.change(held, change.crashed(held.record, Date.now()).record);
    assert(free);
    const taken = await store.change(free, change.claimed(free.record, "another worker", Date.now()));
    await write(claims, id);
    assert(await store.read(id, OWNER) === taken, name);
    assertEquals([lost, claims.held], [[id], []], name);
  }
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
