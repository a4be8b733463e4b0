import type { Attempt } from "../../../backend.ts";
import { createWorker, defineJob, DenoKvBackend } from "../../../mod.ts";
import { Committer } from "../../../src/backends/kv/committer.ts";
import { delayedKey, readyKey, taskKey } from "../../../src/backends/kv/keys.ts";
import type { KvStore } from "../../../src/backends/kv/store.ts";
import { type KvEntry, promoting, type StoredTask } from "../../../src/backends/kv/stored.ts";
import * as change from "../../../src/backends/shared/record.ts";
import { Runner } from "../../../src/backends/shared/running/runner.ts";
import { Claims } from "../../../src/backends/shared/claiming/claims.ts";
import { newWorker } from "../../../src/operator/workers.ts";
import { TaskFeed } from "../../../src/tasks/feed.ts";
import { newTaskId } from "../../../src/ids.ts";
import type { Answer, Question } from "../../../src/task.ts";
import { pause } from "../../../src/waiting.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { ignored } from "../../support/errors.ts";
import { found, OWNER, storeOf } from "./support/store.ts";
import { newTask } from "../../support/tasks.ts";
import { TempFolder } from "../../support/temp_folder.ts";

const NOW = Date.now();
const QUESTION: Question = { key: "which", message: "Which?", schema: { type: "object" } };
const ANSWER: Answer = { action: "decline" };

interface Opened {
  readonly kv: Deno.Kv;
  readonly store: KvStore;
  readonly committer: Committer;
  /** Stores a task, and reads it back. */
  readonly create: (delay?: number) => Promise<KvEntry>;
  /** Takes a task as a worker does that has seen it in the queue as it is now. */
  readonly taker: (id: string) => Promise<() => Promise<KvEntry | undefined>>;
}

async function withStore(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committer = new Committer(kv, "writer", () => {});
  const store = storeOf(kv, committer);
  const create = async (delay?: number) => {
    const id = newTaskId();
    const retry = { attempts: 3, delay: 0, maxDelay: 0 };
    await store.create(change.created(newTask({ id, owner: OWNER, retry, delay }), NOW), "{}");
    return await found(store, id);
  };
  const taker = async (id: string) => {
    const { key, value, versionstamp } = await kv.get<StoredTask>(readyKey("job", 0, id));
    assert(value !== null);
    const waiting = { ...value, check: { key, versionstamp } };
    return () => store.change(waiting, change.claimed(value.record, "worker", NOW));
  };
  await use({ kv, store, committer, create, taker });
  await committer.drained();
}

/** The keys of the queues that hold a task. */
async function queued(kv: Deno.Kv): Promise<readonly Deno.KvKey[]> {
  const lists = [readyKey("job"), delayedKey()].map((prefix) => Array.fromAsync(kv.list({ prefix })));
  return (await Promise.all(lists)).flat().map(({ key }) => key);
}

Deno.test("KV: of writes that check different versions of one key at the same moment, only that with the present one is made", () =>
  withStore(async ({ kv, committer }) => {
    const key = ["checked"];
    const { versionstamp: before } = await kv.set(key, "before");
    const { versionstamp: now } = await kv.set(key, "now");
    const write = (name: string, versionstamp: string) =>
      committer.commit({ checks: [{ key, versionstamp }], sets: [{ key: [name], value: true }], bytes: 100 });
    const [late, right] = await Promise.all([write("late", before), write("right", now)]);
    assertEquals([late, right !== null], [null, true]);
    assertEquals([(await kv.get(["late"])).value, (await kv.get(["right"])).value], [null, true]);
  }));

Deno.test("KV: of a cancel and a claim at the same moment the first wins, and the other is refused", () =>
  withStore(async ({ kv, store, create, taker }) => {
    for (const cancelFirst of [true, false]) {
      const entry = await create();
      const { id } = entry.record.info;
      const cancel = () => store.change(entry, change.cancelledNow(entry.record, NOW));
      const claim = await taker(id);
      const [first, second] = await Promise.all(cancelFirst ? [cancel(), claim()] : [claim(), cancel()]);
      const { status } = (await found(store, id)).record.info;
      assertEquals(
        [first?.record.info.status, second, status],
        cancelFirst ? ["CANCELLED", undefined, "CANCELLED"] : ["RUNNING", undefined, "RUNNING"],
      );
      assertEquals(await queued(kv), []);
    }
  }));

Deno.test("KV: of a cancel in one process and a claim in another only one is stored, and the other is refused", () =>
  withStore(async ({ kv, create, taker }) => {
    const other = storeOf(kv, new Committer(kv, "other", () => {}));
    for (const cancelFirst of [true, false]) {
      const entry = await create();
      const cancel = () => other.change(entry, change.cancelledNow(entry.record, NOW));
      const claim = await taker(entry.record.info.id);
      const [first, second] = await Promise.all(cancelFirst ? [cancel(), claim()] : [claim(), cancel()]);
      const { info } = (await found(other, entry.record.info.id)).record;
      assertEquals([first ?? second].map((won) => won?.record.info.status), [info.status]);
      assertEquals([first, second].filter((won) => won === undefined).length, 1);
      assertEquals(await queued(kv), []);
    }
  }));

Deno.test("KV: a delayed task that is cancelled in the moment in which it becomes due is in no queue", () =>
  withStore(async ({ kv, store, committer, create }) => {
    for (const cancelFirst of [true, false]) {
      const entry = await create(1);
      const { id } = entry.record.info;
      const { key, value, versionstamp } = await kv.get<StoredTask>(delayedKey(NOW + 1, id));
      assert(value !== null);
      const cancel = () => store.change(entry, change.cancelledNow(entry.record, NOW));
      const promote = () => committer.commit(promoting({ ...value, check: { key, versionstamp } }));
      await Promise.all(cancelFirst ? [cancel(), promote()] : [promote(), cancel()]);
      assertEquals((await found(store, id)).record.info.status, "CANCELLED");
      assertEquals(await queued(kv), []);
    }
  }));

Deno.test("KV: an answer at the moment of a claim is not lost, and the task runs once", () =>
  withStore(async ({ kv, store, create, taker }) => {
    for (const answerFirst of [true, false]) {
      const { record: { info: { id } } } = await create();
      // A worker asked, and died: the task waits again, its question open.
      const taken = await (await taker(id))();
      assert(taken);
      const asked = await store.change(taken, change.asked(taken.record, [QUESTION], NOW));
      assert(asked);
      const entry = await store.change(asked, change.crashed(asked.record, [], NOW).record);
      assert(entry);
      const answer = () => store.change(entry, change.answered(entry.record, { which: ANSWER }, NOW));
      const claim = await taker(id);
      const [first, second] = await Promise.all(answerFirst ? [answer(), claim()] : [claim(), answer()]);
      assert(first);
      assertEquals(second, undefined);
      const { record } = await found(store, id);
      assertEquals(
        [record.info.status, record.answers?.which?.action],
        answerFirst ? ["PENDING", ANSWER.action] : ["RUNNING", undefined],
      );
      assertEquals(await queued(kv), answerFirst ? [readyKey("job", 0, id)] : []);
      await kv.delete(readyKey("job", 0, id));
    }
  }));

Deno.test("KV: two writes of a task at the same moment get different versions", () =>
  withStore(async ({ kv }) => {
    const committer = new Committer(kv, "other writer", () => {});
    const key = taskKey(OWNER, "one");
    const write = (value: number) => committer.commit({ sets: [{ key, value }], bytes: 10 });
    const [first, second] = await Promise.all([write(1), write(2)]);
    assert(first !== second);
    const late = await committer.commit({
      checks: [{ key, versionstamp: first ?? null }],
      sets: [{ key, value: 3 }],
      bytes: 10,
    });
    assertEquals([late, (await kv.get(key)).value], [null, 2]);
  }));

Deno.test("KV: writes that have nothing to do with each other go to disk as one", () =>
  withStore(async ({ kv }) => {
    const committer = new Committer(kv, "other writer", () => {});
    const versions = await Promise.all(Array.from({ length: 100 }, (_, number) => {
      const key = taskKey(OWNER, `${number}`);
      return committer.commit({ checks: [{ key, versionstamp: null }], sets: [{ key, value: number }], bytes: 10 });
    }));
    assertEquals(new Set(versions).size, 1);
  }));

Deno.test("KV: what has changed meanwhile leaves the writes beside it one commit, however many have", () =>
  withStore(async ({ kv }) => {
    const committer = new Committer(kv, "other writer", () => {});
    const keys = Array.from({ length: 100 }, (_, number) => taskKey(OWNER, `${number}`));
    await Promise.all(keys.filter((_, number) => number % 3 === 0).map((key) => kv.set(key, "another process")));
    const write = (key: Deno.KvKey) =>
      committer.commit({ checks: [{ key, versionstamp: null }], sets: [{ key, value: "ours" }], bytes: 10 });
    const versions = await Promise.all(keys.map(write));
    assertEquals(versions.map((version) => version === null), keys.map((_, number) => number % 3 === 0));
    assertEquals(new Set(versions).size, 2);
  }));

Deno.test("KV: changes of one moment go to disk as one, although each reads its task before", () =>
  withStore(async ({ store, create }) => {
    const tasks = await Promise.all(Array.from({ length: 25 }, () => create()));
    const changed = await Promise.all(tasks.map(async ({ record: { info } }) => {
      const entry = await found(store, info.id);
      return await store.change(entry, change.cancelledNow(entry.record, NOW));
    }));
    assertEquals(new Set(changed.map((entry) => entry?.check.versionstamp)).size, 1);
  }));

Deno.test("KV: what becomes of tasks goes to disk with the claims of those that take their slots", async () => {
  using kv = await Deno.openKv(":memory:");
  const commits: string[][] = [];
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const committer = new Committer(kv, "writer", (tasks) => {
    commits.push(tasks.map(({ status }) => status));
    if (commits.flat().filter((status) => status === "COMPLETED").length === 4) resolve();
  });
  const store = storeOf(kv, committer);
  const task = () => newTask({ owner: OWNER });
  await Promise.all(Array.from({ length: 4 }, () => store.create(change.created(task(), NOW), "{}")));
  const claims = new Claims(store, newWorker(["job"]), { hasRoom: () => true, lose: () => {}, onError: ignored });
  const run = (): Promise<Attempt> => Promise.resolve({ kind: "value", value: 1 });
  const runner = new Runner(claims, { jobs: ["job"], concurrency: 2, run }, Promise.resolve());
  await ended;
  await runner.stop(0);
  const [ends, begins] = [["COMPLETED", "COMPLETED"], ["RUNNING", "RUNNING"]];
  assertEquals(commits.slice(1), [begins, [...ends, ...begins], ends]);
});

Deno.test("KV: with server and worker in one process, no task that was reported cancelled runs on, and none that was reported as never started has begun", async () => {
  await using folder = await TempFolder.make();
  await using backend = await DenoKvBackend.open({ path: `${folder.path}/jobs.kv` });
  const began = new Set<string>();
  const run = (_: unknown, { id }: { readonly id: string }) => void began.add(id);
  await using worker = createWorker(backend, [defineJob({ name: "job", input: { type: "object" }, run })]);
  await worker.ready;
  using feed = new TaskFeed(backend);
  const cancelled: { readonly id: string; readonly work: string }[] = [];
  const caller = async (_: unknown, caller: number) => {
    for (let turn = 0; turn < 50; turn++) {
      const { id } = await backend.create(newTask({ owner: OWNER, resultTtl: 3_600_000 }));
      // Some cancel at once, some a few turns of the event loop later: all moments of a claim are met.
      for (let turns = (caller + turn) % 8; turns > 0; turns--) await pause(0);
      const end = await backend.cancel(id, OWNER, 20_000).catch(() => undefined);
      if (end?.status === "CANCELLED") cancelled.push({ id, work: end.work });
      await feed.wait(id, OWNER, AbortSignal.timeout(60_000));
    }
  };
  await Promise.all(Array.from({ length: 16 }, caller));
  await worker.close();
  const now = await Promise.all(cancelled.map(({ id }) => backend.get(id, OWNER)));
  assert(cancelled.length > 0);
  assertEquals(now.filter(({ status }) => status !== "CANCELLED"), []);
  assertEquals(cancelled.filter(({ id, work }) => work === "never_started" && began.has(id)), []);
});
