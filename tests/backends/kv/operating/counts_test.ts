import { retainedUntil } from "../../../../src/backends/kv/operating/retention.ts";
import { sweepCounters } from "../../../../src/backends/kv/operating/counts.ts";
import { countKey } from "../../../../src/backends/kv/keys.ts";
import { Committer } from "../../../../src/backends/kv/committer.ts";
import * as change from "../../../../src/backends/shared/record.ts";
import type { FinishedTask, TaskInfo } from "../../../../src/task.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { storeOf } from "../support/store.ts";
import { type Opened, withFile } from "./support.ts";
import { NO_TASKS } from "../../../../src/operator/counts.ts";

const HOUR = 3_600_000;
const QUESTION = { key: "which", message: "Which?", schema: { type: "object" } };

const countedOf = async ({ store }: Opened) =>
  (await store.operating.counts()).map(({ job, counts }) => ({ job, counts }));

Deno.test("KV: counters count a task once, however it changes and however many change it at the same moment", () =>
  withFile(async (opened) => {
    const { kv, store, create, clock } = opened;
    const other = storeOf(kv, new Committer(kv, "other", () => {}), { now: () => clock.now });
    const { now } = clock;
    // Each step of these lives is written by two processes at once: one of them is refused.
    const steps: ((record: change.TaskRecord) => change.Ended)[] = [
      (record) => ({ record: change.claimed(record, "worker", now) }),
      (record) => ({ record: change.asked(record, [QUESTION], now) }),
      (record) => change.parked(record, { keys: ["which"] }, now),
      (record) => ({ record: change.answered(record, { which: { action: "decline" } }, now) }),
      (record) => ({ record: change.claimed(record, "worker", now) }),
      (record) => change.settled(record, { kind: "error", message: "no", retry: true }, now, 0),
      (record) => ({ record: change.claimed(record, "worker", now) }),
      (record) => change.crashed(record, [], now),
      (record) => ({ record: change.claimed(record, "worker", now) }),
      (record) => change.settled(record, { kind: "value", value: 1 }, now, 0),
    ];
    const seen = [];
    const made = await Promise.all(Array.from({ length: 30 }, () => create()));
    for (const step of steps) {
      await Promise.all(made.map(async (_, index) => {
        const { id, owner } = made[index]?.record.info ?? { id: "", owner: "" };
        const entry = await store.read(id, owner);
        assert(entry);
        const { record, outcome } = step(entry.record);
        const both = [store, other].map((one) => one.change(entry, record, outcome));
        assertEquals((await Promise.all(both)).filter((done) => done !== undefined).length, 1);
      }));
      const [counted] = await store.operating.counts();
      const present = Object.entries(counted?.counts ?? {}).filter(([, count]) => count !== 0);
      seen.push([...present.flat(), counted?.parked]);
    }
    assertEquals(seen, [
      ["RUNNING", 30, 0],
      ["INPUT_REQUIRED", 30, 0],
      ["INPUT_REQUIRED", 30, 30],
      ["PENDING", 30, 0],
      ["RUNNING", 30, 0],
      ["RETRYING", 30, 0],
      ["RUNNING", 30, 0],
      ["PENDING", 30, 0],
      ["RUNNING", 30, 0],
      ["COMPLETED", 30, 0],
    ]);
  }));

Deno.test("KV: a finished task is counted for as long as it is kept, and its counter then ends", () =>
  withFile(async (opened) => {
    const { kv, committer, create, finish, clock } = opened;
    const begun = clock.now;
    const last = [];
    for (let hour = 0; hour < 48; hour++) {
      clock.now = begun + hour * HOUR;
      const { record } = await finish(await create({ resultTtl: 23 * HOUR }));
      last.push(retainedUntil(record.info as FinishedTask));
    }
    for (const hours of [0, 10, 24, 26, 50, 80]) {
      clock.now = begun + 47 * HOUR + hours * HOUR;
      const kept = last.filter((end) => end >= clock.now).length;
      assertEquals(
        await countedOf(opened),
        kept === 0 ? [] : [{ job: "job", counts: { ...NO_TASKS, COMPLETED: kept } }],
      );
      await sweepCounters(kv, committer, clock.now);
      const ends = new Set(last.filter((end) => end >= clock.now));
      assertEquals((await Array.fromAsync(kv.list({ start: countKey(1), end: countKey(Infinity) }))).length, ends.size);
    }
  }));

Deno.test("KV: a finished task is kept for its time, or at most a 32nd longer, and expires together with others", () => {
  for (const resultTtl of [0, 1, 60_000, HOUR, 7 * 24 * HOUR, 1e14]) {
    const expected = resultTtl + HOUR;
    const ends = new Set<number>();
    for (let i = 0; i < 1_000; i++) {
      const finishedAt = Date.UTC(2026, 10, 28) + Math.floor(i * expected / 1_000);
      const end = retainedUntil({ finishedAt, resultTtl } as TaskInfo as FinishedTask);
      const kept = end - finishedAt;
      assert(kept >= expected && kept <= expected * (1 + 1 / 32), `${kept} instead of ${expected}`);
      ends.add(end);
    }
    assert(ends.size <= 66, `${ends.size} counters for one lifetime`);
  }
});

Deno.test("KV: nothing is counted below zero if the clock is set back after a counter has ended", () =>
  withFile(async (opened) => {
    const { kv, committer, store, create, finish, clock } = opened;
    const { now } = clock;
    const { record } = await finish(await create());
    clock.now = retainedUntil(record.info as FinishedTask) + 1;
    await sweepCounters(kv, committer, clock.now);
    clock.now = now;
    assertEquals((await store.operating.purge({ status: "COMPLETED", before: now + HOUR }, undefined)).deleted, 1);
    assertEquals(await countedOf(opened), []);
  }));
