/**
 * Claims of jobs with limits in a KV file.
 *
 * @module
 */
import type { JobLimits } from "../../../../backend.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import { KvLimits } from "../../../../src/backends/kv/job_limits.ts";
import { limitKey } from "../../../../src/backends/kv/keys.ts";
import type { KvStore } from "../../../../src/backends/kv/store.ts";
import type { KvEntry } from "../../../../src/backends/kv/stored.ts";
import { cancelledNow, claimed, created, settled } from "../../../../src/backends/shared/record.ts";
import { MAX_OWNER_LENGTH } from "../../../../src/ids.ts";
import { PAUSED } from "../../../../src/operator/pauses.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { newTask } from "../../../support/tasks.ts";
import { found, OWNER, storeOf } from "../support/store.ts";

const NOW = Date.now();
const LIMITS = { concurrency: 15, rateLimit: { max: 18, per: 3_600_000 } };

interface Opened {
  readonly kv: Deno.Kv;
  readonly store: KvStore;
  /** Of another process. */
  readonly other: KvStore;
  /** Creates so many tasks, and finds them in the queue. */
  readonly waiting: (count: number, owner?: string) => Promise<readonly KvEntry[]>;
  /** The ids of the tasks that may be held, and how many have begun. */
  readonly used: () => Promise<{ readonly ids: readonly string[]; readonly count: number }>;
}

async function withStores(use: (opened: Opened) => Promise<void>): Promise<void> {
  using kv = await Deno.openKv(":memory:");
  const committers = ["one", "two"].map((name) => new Committer(kv, name, () => {}));
  const [store, other] = committers.map((committer) => storeOf(kv, committer, { now: () => NOW }));
  assert(store && other);
  const waiting = async (count: number, owner = OWNER) => {
    const tasks = Array.from({ length: count }, () => created(newTask({ owner }), NOW));
    await Promise.all(tasks.map((task) => store.create(task, "{}")));
    return (await store.queue().ready(count, [], ["job"])).entries;
  };
  const used = async () => {
    const { value } = await kv.get<{ claimed: readonly [string, string][]; count: number }>(limitKey("job"));
    assert(value);
    return { ids: value.claimed.map(([, id]) => id), count: value.count };
  };
  await use({ kv, store, other, waiting, used });
  await Promise.all(committers.map((committer) => committer.drained()));
}

const take = (store: KvStore, entry: KvEntry, limits: JobLimits = LIMITS) =>
  store.claim(entry, claimed(entry.record, "worker", NOW), limits);

const idsOf = (entries: readonly (KvEntry | undefined)[]) => entries.flatMap((entry) => entry?.record.info.id ?? []);

Deno.test("KV: of a job with limits, as many tasks as may begin are claimed with one commit", () =>
  withStores(async ({ store, waiting, used }) => {
    const entries = await waiting(20);
    const taken = await Promise.all(entries.map((entry) => take(store, entry)));
    const ids = idsOf(entries).slice(0, 15);
    assertEquals([idsOf(taken), new Set(taken.map((entry) => entry?.check.versionstamp)).size], [ids, 2]);
    assertEquals(await used(), { ids, count: 15 });
  }));

Deno.test("KV: of a job with limits that was paused a moment ago, no task is claimed, and the claim is not repeated", () =>
  withStores(async ({ store, waiting }) => {
    const [entry] = await waiting(1);
    assert(entry && await store.documents.write(`${PAUSED}job`, undefined, "{}"));
    assertEquals(await take(store, entry), undefined);
  }));

Deno.test("KV: of a job with limits, a task that was cancelled at the moment of its claim leaves the claims beside it one commit", () =>
  withStores(async ({ store, waiting, used }) => {
    const entries = await waiting(10);
    const gone = entries.slice(4, 6);
    for (const { record } of gone) {
      await store.change(await found(store, record.info.id), cancelledNow(record, NOW));
    }
    const taken = await Promise.all(entries.map((entry) => take(store, entry)));
    const ids = idsOf(entries.filter((entry) => !gone.includes(entry)));
    assertEquals([idsOf(taken), new Set(taken.map((entry) => entry?.check.versionstamp)).size], [ids, 2]);
    const more = await Promise.all((await waiting(10)).map((entry) => take(store, entry)));
    assertEquals((await used()).ids, [...ids, ...idsOf(more)]);
  }));

Deno.test("KV: two processes that claim tasks of a job at the same moment claim as many as its limits allow", () =>
  withStores(async ({ store, other, waiting, used }) => {
    const entries = await waiting(20);
    const taken = await Promise.all(entries.map((entry, index) => take(index % 2 ? store : other, entry)));
    assertEquals(idsOf(taken).length, 15);
    assertEquals((await used()).ids.toSorted(), idsOf(taken).toSorted());
    assertEquals((await used()).count, 15);
  }));

Deno.test("KV: claims of a job with limits that do not fit into one commit count once each", () =>
  withStores(async ({ kv, store, waiting, used }) => {
    const all = await waiting(100);
    const [others, entries] = [all.slice(0, 95), all.slice(95)];
    // Each change of a task is one of the 100 checks that KV makes in a commit.
    const changes = () => others.map((entry) => store.change(entry, cancelledNow(entry.record, NOW)));
    const limits = new KvLimits(kv, () => NOW);
    const taken = await Promise.all(entries.map((entry, index) =>
      limits.claim(entry, LIMITS, async (extra) => {
        if (index === 0) void changes();
        return await store.change(entry, claimed(entry.record, "worker", NOW), undefined, [], extra);
      })
    ));
    assertEquals([idsOf(taken), new Set(taken.map((entry) => entry?.check.versionstamp)).size], [idsOf(entries), 2]);
    assertEquals(await used(), { ids: idsOf(entries), count: entries.length });
  }));

Deno.test("KV: a task of a job with limits waits while the list of those that are held has no room for it", () =>
  withStores(async ({ store, waiting }) => {
    const limits = { rateLimit: { max: 1_000, per: 3_600_000 } };
    const claim = async () => {
      const found = await waiting(100, "ж".repeat(MAX_OWNER_LENGTH));
      return await Promise.all(found.map((entry) => take(store, entry, limits)));
    };
    const [first, second, third] = [await claim(), await claim(), await claim()]; // Of several workers: one holds no more.
    const counts = [first, second, third].map((claimed) => idsOf(claimed).length);
    assert(counts[0] === 100 && counts[1] !== 0 && counts[2] === 0, `They hold ${counts}.`);
    const search = async () => await store.queue().limited?.(10, [], "job", limits);
    assertEquals(await search(), { entries: [], more: false, full: true });
    const [ended] = first;
    assert(ended);
    await store.change(ended, settled(ended.record, { kind: "value", value: 1 }, NOW, 0).record);
    const again = await search();
    assertEquals([again?.entries.length, again?.full], [1, true]);
    assertEquals(idsOf(await claim()).length, 1);
  }));
