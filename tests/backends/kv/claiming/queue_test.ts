import { Committer } from "../../../../src/backends/kv/committer.ts";
import { blobKey, delayedKey } from "../../../../src/backends/kv/keys.ts";
import type { KvStore, KvStoreOptions } from "../../../../src/backends/kv/store.ts";
import type { ClaimName } from "../../../../src/backends/shared/running/runner_store.ts";
import { Claims, type ClaimsListener } from "../../../../src/backends/shared/claiming/claims.ts";
import { Lease } from "../../../../src/backends/shared/claiming/lease.ts";
import type { Worker } from "../../../../src/backends/shared/store/store.ts";
import {
  answered,
  asked,
  claimed,
  crashed,
  created,
  parked,
  settled,
  type TaskRecord,
} from "../../../../src/backends/shared/record.ts";
import { PAUSED, Pauses } from "../../../../src/operator/pauses.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import type { Json } from "../../../../src/task.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals, assertRejects } from "../../../../tools/std.ts";
import { found, OWNER, storeOf } from "../support/store.ts";
import { newTask } from "../../../support/tasks.ts";

interface Opened {
  readonly kv: Deno.Kv;
  readonly store: KvStore;
  readonly claims: Claims;
  readonly create: (input: Json, delay?: number, owner?: string) => Promise<string>;
  readonly committer: Committer;
}

/** The claims of a worker. It is told of nothing but to `told`, and its jobs are free unless `jobs` says otherwise. */
function claimsOf(
  store: KvStore,
  own: Partial<ClaimsListener> = {},
  worker: Partial<Worker> = {},
  jobs?: (again: boolean) => Promise<readonly string[]>,
): Claims {
  const listener = { hasRoom: () => true, lose() {}, onError: ignored, ...own };
  return new Claims(store, { name: "worker", jobs: ["job"], ...worker }, listener, jobs);
}

async function withClaims(
  use: (opened: Opened) => Promise<void>,
  options: Partial<KvStoreOptions> = {},
): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = storeOf(kv, committer, options);
  const claims = claimsOf(store);
  const create = async (input: Json, delay?: number, owner = OWNER) => {
    const id = newTaskId();
    const retry = { attempts: 3, delay: 60_000, maxDelay: 60_000 };
    const task = newTask({ id, owner, input, retry, delay });
    await store.create(created(task, Date.now() - 1_000), JSON.stringify(input));
    return id;
  };
  await use({ kv, store, claims, create, committer });
  await committer.drained();
}

Deno.test("KV: a due task is found again after a search for it has failed", () =>
  withClaims(async ({ kv, claims, create }) => {
    const id = await create({}, 1);
    kv.list = () => {
      throw new TypeError("disk I/O error");
    };
    await assertRejects(() => claims.claim(1), TypeError, "disk I/O error");
    kv.list = Deno.Kv.prototype.list;
    const result = await claims.claim(1);
    assertEquals(result.claims.map(({ task }) => task.id), [id]);
  }));

Deno.test("KV: a task whose input cannot be read waits without losing an attempt, and holds up no other task", () =>
  withClaims(async ({ kv, store, claims, create }) => {
    const large = await create("x".repeat(20_000));
    const small = await create("y");
    kv.getMany = () => {
      kv.getMany = Deno.Kv.prototype.getMany;
      return Promise.reject(new TypeError("disk I/O error"));
    };
    const result = await claims.claim(2);
    assertEquals(result.claims.map(({ task, input }) => [task.id, input]), [[small, "y"]]);
    assertEquals(result.failed?.map(({ task }) => task.id), [large]);
    for (const { end } of result.failed ?? []) await end();
    const { info } = (await found(store, large)).record;
    assertEquals([info.status, info.attempt, "dueAt" in info], ["PENDING", 0, true]);
    assertEquals(claims.held.map(({ id }) => id), [small]);
  }));

Deno.test("KV: a task whose input is lost fails", () =>
  withClaims(async ({ kv, store, claims, create }) => {
    const id = await create("x".repeat(20_000));
    for await (const { key } of kv.list({ prefix: blobKey("", 0).slice(0, 2) })) await kv.delete(key);
    const { failed = [] } = await claims.claim(1);
    for (const { end } of failed) await end();
    const { info } = (await found(store, id)).record;
    assertEquals([info.status, info.message], ["FAILED", "The input of the task is lost."]);
  }));

Deno.test("KV: a large input is read once the file is no longer locked", () =>
  withClaims(async ({ kv, claims, create }) => {
    const input = "x".repeat(20_000);
    await create(input);
    kv.getMany = () => {
      kv.getMany = Deno.Kv.prototype.getMany;
      return Promise.reject(new TypeError("database is locked"));
    };
    const result = await claims.claim(1);
    assertEquals(result.claims.map((claim) => claim.input), [input]);
  }));

Deno.test("KV: a parked task that goes on comes before tasks that never ran, also of another job of the worker", () =>
  withClaims(async ({ store, create }) => {
    const now = Date.now();
    const other = newTask({ owner: OWNER, job: "other" });
    await store.create(created(other, now), "{}");
    const parkedId = await create({});
    const question = { key: "which", message: "Which?", schema: {} };
    const lives = [
      (record: TaskRecord) => claimed(record, "worker", now),
      (record: TaskRecord) => asked(record, [question], now),
      (record: TaskRecord) => parked(record, { keys: ["which"] }, now).record,
      (record: TaskRecord) => answered(record, { which: { action: "decline" } }, now),
    ];
    for (const live of lives) {
      const entry = await found(store, parkedId);
      await store.change(entry, live(entry.record));
    }
    const claims = claimsOf(store, {}, { jobs: ["other", "job"] });
    assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [parkedId]);
    assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [other.id]);
  }));

Deno.test("KV: a worker claims no more tasks than its lease can name, however long the names of their owners are", () =>
  withClaims(async ({ store, claims, create }) => {
    const owner = (number: number) => `${number}`.padEnd(128, "€");
    await Promise.all(Array.from({ length: 250 }, (_, number) => create({}, undefined, owner(number))));
    const results = [await claims.claim(100), await claims.claim(100), await claims.claim(100)];
    const all = results.flatMap((result) => result.claims);
    assertEquals([claims.held.length, results[2]?.claims, results[2]?.more], [all.length, [], false]);
    assert((results[2]?.dueIn ?? 0) > 0, "It looks again soon.");
    const jobs = Array.from({ length: 100 }, (_, number) => `${number}`.padEnd(64, "x"));
    const lease = new Lease(
      store,
      store.lease({ ...newWorker(jobs), name: "worker" }, () => claims.held),
      () => {},
      ignored,
    );
    await lease.ready;
    await lease[Symbol.asyncDispose]();
    const [first] = all;
    assert(first);
    await claims.settle(first.task, { kind: "value", value: 1 });
    assertEquals((await claims.claim(100)).claims.length, 1);
  }));

Deno.test("KV: tasks count as held before they are claimed, so that the lease lists them", () =>
  withClaims(async ({ store, create }) => {
    const id = await create({});
    const held: unknown[] = [];
    const hasRoom = () => held.push(claims.held.map((task) => [task.id, task.owner])) > 0;
    const claims = claimsOf(store, { hasRoom });
    const { change } = store;
    store.change = (...changed) => {
      held.push("claim");
      return change.apply(store, changed);
    };
    assertEquals((await claims.claim(1)).claims.length, 1);
    assertEquals(held, [[[id, OWNER]], "claim"]);
  }));

Deno.test("KV: if some of several claims fail, the claimed tasks run, and the others are searched for again", () =>
  withClaims(async ({ store, claims, create }) => {
    const [first, second] = [await create(1), await create(2)];
    const { change } = store;
    store.change = (...changed) => {
      store.change = change;
      return Promise.reject(new TypeError(`disk I/O error at ${changed.length}`));
    };
    const result = await claims.claim(100);
    assertEquals([result.claims.map(({ task }) => task.id), result.more], [[second], true]);
    assertEquals((await claims.claim(100)).claims.map(({ task }) => task.id), [first]);
  }));

Deno.test("KV: a worker whose task was taken over learns that it has lost it, and no longer changes it", () =>
  withClaims(async ({ store, create, committer }) => {
    const lost: string[] = [];
    const lose = (id: string) => void lost.push(id);
    const claims = claimsOf(store, { lose });
    const heir = claimsOf(store, { lose }, { name: "heir" });
    const acts: readonly ((task: ClaimName) => Promise<unknown>)[] = [
      (task) => claims.report(task, { progress: 0.5 }, { skipped: 0, lines: [] }),
      (task) => claims.settle(task, { kind: "value", value: "late" }),
      (task) => claims.handBack(task, false),
      (task) => claims.ask(task, [{ key: "which", message: "Which?", schema: { type: "object" } }]),
    ];
    for (const act of acts) {
      const id = await create({});
      const [claim] = (await claims.claim(1)).claims;
      assert(claim);
      const entry = await found(store, id);
      await store.change(entry, crashed(entry.record, [], Date.now()).record);
      await heir.claim(1);
      const before = await found(store, id);
      await act(claim.task);
      assertEquals([lost.splice(0), claims.held], [[id], []]);
      assertEquals(await found(store, id), before);
    }
    await committer.drained();
  }));

Deno.test("KV: what is to be stored of an earlier claim changes nothing of a later one of the same worker", () =>
  withClaims(async ({ store, claims, create }) => {
    const id = await create({});
    const [first] = (await claims.claim(1)).claims;
    assert(first);
    const entry = await found(store, id);
    await store.change(entry, crashed(entry.record, [], Date.now()).record);
    assertEquals((await claims.claim(1)).claims.length, 1);
    const before = await found(store, id);
    await claims.settle(first.task, { kind: "value", value: "late" });
    assertEquals([await found(store, id), claims.held.map((task) => task.id)], [before, [id]]);
  }));

Deno.test("KV: a worker that has not heard of a pause claims in vain once, and then knows of it", () =>
  withClaims(async ({ store, create }) => {
    await Promise.all([create(1), create(2)]);
    using pauses = new Pauses(Object.assign(store.documents, { watch: () => () => {} }));
    const claims = claimsOf(store, {}, {}, (again) => pauses.unpaused(["job"], again));
    assertEquals(await pauses.unpaused(["job"]), ["job"]);
    await store.documents.write(PAUSED + "job", undefined, "{}");
    const searches = [await claims.claim(2), await claims.claim(2)];
    assertEquals(searches.map(({ claims, more }) => [claims, more]), [[[], true], [[], false]]);
  }));

Deno.test("KV: of the tasks of several jobs the most urgent is claimed first, then the oldest", () =>
  withClaims(async ({ store }) => {
    for (
      const [job, input, priority] of [["a", "old", 1], ["b", "urgent", 0], ["b", "young", 1], [
        "a",
        "late",
        2,
      ]] as const
    ) {
      const task = newTask({ job, owner: OWNER, input, priority });
      await store.create(created(task, Date.now()), JSON.stringify(input));
    }
    const claims = claimsOf(store, {}, { jobs: ["a", "b"] });
    const order: unknown[] = [];
    for (const _ of [1, 2, 3, 4]) order.push(...(await claims.claim(1)).claims.map(({ input }) => input));
    assertEquals(order, ["urgent", "old", "young", "late"]);
  }));

Deno.test("KV: all delayed tasks are ready once they are due, even if one search cannot promote them all", () =>
  withClaims(async ({ kv, claims, create }) => {
    await Promise.all(Array.from({ length: 150 }, () => create({}, 1)));
    let claimed = 0;
    for (const _ of [1, 2, 3]) claimed += (await claims.claim(60)).claims.length;
    assertEquals(claimed, 150);
    assertEquals(await Array.fromAsync(kv.list({ prefix: delayedKey() })), []);
  }));

Deno.test("KV: a delayed task whose event was missed is found after the gap", () =>
  withClaims(async ({ claims, create }) => {
    assertEquals(await claims.claim(1), { claims: [], failed: [], more: false, dueIn: Infinity });
    const id = await create({}, 1);
    claims.receive({ kind: "gap" });
    assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [id]);
  }));

Deno.test("KV: delayed tasks wait no longer than their delay once the clock was set back, though others are due before them", () => {
  const clock = { now: Date.now() };
  return withClaims(async ({ store, claims }) => {
    const create = async (delay: number) => {
      const id = newTaskId();
      const retry = { attempts: 3, delay: 60_000, maxDelay: 60_000 };
      const task = { id, job: "job", owner: OWNER, input: {}, resultTtl: 1, retry, delay };
      await store.create(created(task, clock.now), "{}");
      return id;
    };
    const claim = async () => (await claims.claim(10)).claims.map(({ task }) => task.id);
    const late = await create(600_000);
    assertEquals(await claim(), []);
    clock.now -= 7_200_000;
    const soon = await create(300_000);
    claims.receive({ kind: "gap" });
    assertEquals([await claim(), (await claims.claim(10)).dueIn], [[], 300_000]);
    clock.now += 300_000;
    assertEquals(await claim(), [soon]);
    clock.now += 300_000;
    assertEquals(await claim(), [late]);
  }, { now: () => clock.now });
});

Deno.test("KV: a worker that begins after the clock was set back finds the tasks that would be due too late", () => {
  const now = Date.now();
  let later = now - 7_200_000;
  return withClaims(async ({ kv, store, claims }) => {
    const id = newTaskId();
    const retry = { attempts: 3, delay: 1_000, maxDelay: 1_000 };
    const task = { id, job: "job", owner: OWNER, input: {}, resultTtl: 1, retry };
    const running = claimed(created(task, now), "other", now);
    const { record } = settled(running, { kind: "error", message: "no luck", retry: true }, now, 0.5);
    await store.create(record, "{}");
    assertEquals((await claims.claim(1)).dueIn, 1_000);
    later += 1_000;
    assertEquals((await claims.claim(1)).claims.map(({ task }) => task.id), [id]);
    assertEquals(await Array.fromAsync(kv.list({ prefix: delayedKey() })), []);
  }, { now: () => later });
});
