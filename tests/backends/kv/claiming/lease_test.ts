import { DenoKvBackend } from "../../../../mod.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import { readyKey, workerKey } from "../../../../src/backends/kv/keys.ts";
import type { WorkerRecord } from "../../../../src/backends/kv/lease.ts";
import type { KvStore } from "../../../../src/backends/kv/store.ts";
import type { KvEntry, StoredTask } from "../../../../src/backends/kv/stored.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import { Lease } from "../../../../src/backends/shared/claiming/lease.ts";
import type { WorkerLease } from "../../../../src/backends/shared/store/store.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { newWorker } from "../../../../src/operator/workers.ts";
import type { TaskInfo } from "../../../../src/task.ts";
import { ignored } from "../../../support/errors.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { found, LEASE, OWNER, storeOf } from "../support/store.ts";
import { newTask } from "../../../support/tasks.ts";
import { TempFolder } from "../../../support/temp_folder.ts";

const ROUND = LEASE / 2;

interface Opened {
  readonly kv: Deno.Kv;
  readonly store: KvStore;
  readonly clock: { now: number };
  /** Keeps the lease of a worker that holds one task, whatever becomes of it. */
  readonly start: (
    worker: string,
  ) => Promise<{ readonly lease: Lease; readonly own: WorkerLease; readonly entry: KvEntry }>;
  /** Keeps the lease of a worker that holds nothing. */
  readonly idle: (worker: string) => Promise<Lease>;
  /** Where a task is now: its status, who holds it, and how many workers it has lost. */
  readonly now: (entry: KvEntry) => Promise<readonly unknown[]>;
}

async function withLeases(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  await using leases = new AsyncDisposableStack();
  const committer = new Committer(kv, "writer", () => {});
  const clock = { now: Date.now() };
  const store = storeOf(kv, committer, { now: () => clock.now });
  const keep = async (name: string, held: () => readonly TaskInfo[]) => {
    const own = store.lease({ ...newWorker(["job"]), name }, held);
    const lease = leases.use(new Lease(store, own, () => {}, ignored));
    await lease.ready;
    return { lease, own };
  };
  await use({
    kv,
    store,
    clock,
    idle: async (worker) => (await keep(worker, () => [])).lease,
    start: async (worker) => {
      const id = newTaskId();
      const task = newTask({ id, owner: OWNER });
      await store.create(change.created(task, clock.now), "{}");
      const { key, value, versionstamp } = await kv.get<StoredTask>(readyKey("job", 0, id));
      assert(value !== null);
      const { lease, own } = await keep(worker, () => [value.record.info]);
      const waiting = { ...value, check: { key, versionstamp } };
      const entry = await store.change(waiting, change.claimed(value.record, worker, clock.now));
      assert(entry);
      return { lease, own, entry };
    },
    now: async ({ record: { info } }) => {
      const { record } = await found(store, info.id);
      return [record.info.status, record.holder, record.crashes];
    },
  });
}

Deno.test("KV: a worker whose machine has slept for longer than the lease goes on with its tasks", () =>
  withLeases(async ({ clock, start, now }) => {
    const { lease, entry } = await start("sleeper");
    for (let sleeps = 0; sleeps < change.MAX_CRASHES; sleeps++) {
      clock.now += 3 * LEASE;
      await lease.recover();
      clock.now += 0.9 * LEASE; // And once more, in time but before its renewal has come.
      await lease.recover();
    }
    assertEquals(await now(entry), ["RUNNING", "sleeper", 0]);
  }));

Deno.test("KV: workers whose machine has slept take no tasks from each other", () =>
  withLeases(async ({ clock, start, now }) => {
    const one = await start("one");
    const two = await start("two");
    clock.now += 3 * LEASE;
    await one.lease.recover();
    await two.lease.recover();
    clock.now += ROUND;
    await one.lease.recover();
    await two.lease.recover();
    assertEquals([await now(one.entry), await now(two.entry)], [["RUNNING", "one", 0], ["RUNNING", "two", 0]]);
  }));

Deno.test("KV: a worker that does not wake with the others is dead, and its task runs again", () =>
  withLeases(async ({ clock, start, idle, now }) => {
    const lease = await idle("sleeper");
    const { entry } = await start("dead");
    clock.now += 3 * LEASE;
    await lease.recover();
    assertEquals(await now(entry), ["RUNNING", "dead", 0]);
    clock.now += ROUND;
    await lease.recover();
    assertEquals(await now(entry), ["PENDING", undefined, 1]);
  }));

Deno.test("KV: a worker that is always late, because its jobs compute without a pause, takes tasks over in the end", () =>
  withLeases(async ({ clock, start, idle, now }) => {
    const lease = await idle("busy");
    const { entry } = await start("dead");
    for (let rounds = 0; rounds < 6; rounds++) {
      assertEquals(await now(entry), ["RUNNING", "dead", 0]);
      clock.now += 2 * LEASE;
      await lease.recover();
    }
    assertEquals(await now(entry), ["PENDING", undefined, 1]);
  }));

Deno.test("KV: a dead worker's task runs again a lease after the clock was set back, and a living one keeps its own", () =>
  withLeases(async ({ clock, start, idle, now }) => {
    const dead = await start("dead");
    const living = await start("living");
    const heir = await idle("heir");
    clock.now -= 12 * LEASE;
    await heir.recover();
    clock.now += ROUND;
    await living.own.renew();
    await heir.recover();
    assertEquals([await now(dead.entry), await now(living.entry)], [["RUNNING", "dead", 0], ["RUNNING", "living", 0]]);
    clock.now += ROUND;
    await heir.recover();
    assertEquals([await now(dead.entry), await now(living.entry)], [["PENDING", undefined, 1], [
      "RUNNING",
      "living",
      0,
    ]]);
  }));

Deno.test("KV: a worker respects another one's lease, even if it is longer than its own", () =>
  withLeases(async ({ kv, clock, start, idle, now }) => {
    const { entry } = await start("patient");
    const key = workerKey("patient");
    const { value } = await kv.get<WorkerRecord>(key);
    await kv.set(key, { ...value, lease: 10 * LEASE, expiresAt: clock.now + 10 * LEASE });
    const heir = await idle("heir");
    for (let rounds = 0; rounds < 19; rounds++) {
      clock.now += ROUND;
      await heir.recover();
    }
    assertEquals(await now(entry), ["RUNNING", "patient", 0]);
    clock.now += ROUND;
    await heir.recover();
    assertEquals(await now(entry), ["PENDING", undefined, 1]);
  }));

Deno.test("KV: a dead worker's task is taken over although it is answered in that moment", () =>
  withLeases(async ({ kv, store, clock, start, idle }) => {
    const { entry } = await start("dead");
    const question = { key: "which", message: "Which?", schema: { type: "object" } };
    await store.change(entry, change.asked(entry.record, [question], clock.now));
    const heir = await idle("heir");
    clock.now += ROUND;
    await heir.recover();
    clock.now += ROUND;
    const { read } = store;
    store.read = async (...of) => {
      store.read = read;
      const found = await store.read(...of);
      assert(found);
      const answers = { which: { action: "decline" } } as const;
      assert(await store.change(found, change.answered(found.record, answers, clock.now)));
      return found;
    };
    await heir.recover();
    const { record } = await found(store, entry.record.info.id);
    assertEquals(
      [record.info.status, record.holder, Object.keys(record.answers ?? {})],
      ["PENDING", undefined, ["which"]],
    );
    assertEquals((await kv.get(workerKey("dead"))).value, null);
  }));

Deno.test("KV: tasks that a worker could not hand back as it ended are taken over at once", () =>
  withLeases(async ({ kv, start, idle, now }) => {
    const { lease, entry } = await start("ending");
    await lease[Symbol.asyncDispose]();
    assertEquals(await now(entry), ["RUNNING", "ending", 0]);
    await idle("heir");
    assertEquals(await now(entry), ["PENDING", undefined, 1]);
    assertEquals((await kv.get(workerKey("ending"))).value, null);
  }));

Deno.test("KV: a worker that ends and holds nothing is forgotten", () =>
  withLeases(async ({ kv, idle }) => {
    const lease = await idle("ending");
    assertEquals((await kv.get<WorkerRecord>(workerKey("ending"))).value?.jobs, ["job"]);
    await lease[Symbol.asyncDispose]();
    assertEquals((await kv.get(workerKey("ending"))).value, null);
  }));

Deno.test("KV: a task that a living worker has claimed meanwhile is not taken over as that of a dead one", () =>
  withLeases(async ({ store, clock, start, idle, now }) => {
    const { entry } = await start("dead");
    const { record } = change.crashed(entry.record, [], clock.now);
    const waiting = await store.change(entry, record);
    assert(waiting);
    assert(await store.change(waiting, change.claimed(record, "other", clock.now)));
    const heir = await idle("heir");
    clock.now += ROUND;
    await heir.recover();
    clock.now += ROUND;
    await heir.recover();
    assertEquals(await now(entry), ["RUNNING", "other", 1]);
  }));

Deno.test("KV: a worker that comes back while another one takes its tasks over stays known", () =>
  withLeases(async ({ kv, store, clock, start, idle }) => {
    const { own } = await start("late");
    const heir = await idle("heir");
    clock.now += ROUND;
    await heir.recover();
    clock.now += ROUND;
    const { read } = store;
    store.read = async (...of) => {
      store.read = read;
      await own.renew();
      return await store.read(...of);
    };
    await heir.recover();
    const known = (await kv.get<WorkerRecord>(workerKey("late"))).value;
    assertEquals(known?.expiresAt, clock.now + LEASE);
  }));

Deno.test("KV: a worker whose lease has run out no longer counts as running, even before its tasks are taken over", async () => {
  await using folder = await TempFolder.make();
  await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  using kv = await Deno.openKv(`${folder.path}/jobs.kv`);
  const known: boolean[] = [];
  // The last is of a clock that was set back since.
  for (const left of [60_000, -1, 7_200_000]) {
    const record: WorkerRecord = { ...newWorker(["job"]), expiresAt: Date.now() + left, lease: 90_000, held: [] };
    await kv.set(workerKey("silent"), record);
    known.push(await backend.hasWorker("job"), await backend.hasWorker("other"));
  }
  assertEquals(known, [true, false, false, false, false, false]);
});

Deno.test("KV: the commit that claims a waiting task lists it in its worker's lease, with all that the worker holds by then", () =>
  withLeases(async ({ kv, store, start }) => {
    const { entry } = await start("first");
    const held: TaskInfo[] = [];
    const lease = store.lease({ ...newWorker(["job"]), name: "second" }, () => held);
    await lease.renew();
    const waiting = await store.change(entry, change.handedBack(entry.record, false, [], Date.now()).record);
    assert(waiting);
    const claim = store.change(waiting, change.claimed(waiting.record, "second", Date.now()));
    held.push(entry.record.info);
    const taken = await claim;
    const { value, versionstamp } = await kv.get<WorkerRecord>(workerKey("second"));
    assertEquals([value?.held, versionstamp], [[[OWNER, entry.record.info.id]], taken?.check.versionstamp]);
    await lease.end();
  }));

Deno.test("KV: a worker whose own lease has run out does not count itself among the dead", () =>
  withLeases(async ({ start, clock }) => {
    const { own } = await start("late");
    const { own: other } = await start("other");
    clock.now += 2 * LEASE;
    assertEquals((await own.dead()).map(({ name }) => name), ["other"]);
    assertEquals((await other.dead()).map(({ name }) => name), ["late"]);
  }));
