/**
 * What a clock does that is set back. On KV and in memory the machine's clock is the store's; kv/clock_test.ts has the
 * real processes.
 *
 * @module
 */
import { MemoryBackend } from "../../../mod.ts";
import { credible, credibleDue } from "../../../src/backends/shared/clock.ts";
import {
  cancelledNow,
  claimed,
  crashed,
  created,
  parked,
  settled,
  type TaskRecord,
} from "../../../src/backends/shared/record.ts";
import { newTaskId } from "../../../src/ids.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { SetClock } from "../../support/set_clock.ts";

const HOURS = 3_600_000;
const NOW = 10 * HOURS;
const RETRY = { attempts: 9, delay: 1_000, maxDelay: 3_000 };

function waiting(delay?: number): TaskRecord {
  return created({ id: "id-1", job: "job", owner: "me", input: {}, resultTtl: 60_000, retry: RETRY, delay }, NOW);
}

function retrying(failures: number): TaskRecord {
  let record = waiting();
  for (let failed = 0; failed < failures; failed++) {
    record =
      settled(claimed(record, "worker", NOW), { kind: "error", message: "no luck", retry: true }, NOW, 0.99).record;
  }
  return record;
}

function dueIn(record: TaskRecord, now: number): number | undefined {
  const { info } = credibleDue(record, now);
  return "dueAt" in info && info.dueAt !== undefined ? info.dueAt - now : undefined;
}

Deno.test("a time that is further ahead than possible is counted anew from now, and any other one stays", () => {
  assertEquals([credible(2_500, 1_000, 2_000), credible(3_500, 1_000, 2_000), credible(500, 1_000, 2_000)], [
    2_500,
    3_000,
    500,
  ]);
});

Deno.test("a delayed task waits no longer than its delay once the clock was set back, and a retry no longer than its pause", () => {
  assertEquals([NOW, NOW + 400, NOW - 2 * HOURS].map((now) => dueIn(waiting(500), now)), [500, 100, 500]);
  const back = NOW - 2 * HOURS;
  assertEquals([1, 2, 3].map((failures) => dueIn(retrying(failures), back)), [1_000, 2_000, 3_000]);
  assert((dueIn(retrying(1), NOW) ?? Infinity) < 1_000);
  assertEquals(dueIn(waiting(), back), undefined);
});

Deno.test("a retry of a task whose worker has died waits no longer than the pause after the failures of its job", () => {
  const again = claimed(crashed(claimed(waiting(), "worker", NOW), [], NOW).record, "worker", NOW);
  const { record } = settled(again, { kind: "error", message: "no luck", retry: true }, NOW, 0.99);
  assertEquals(dueIn(record, NOW - 2 * HOURS), 1_000);
});

Deno.test("a parked task waits for its date, whatever the clock does", () => {
  const { record } = parked(claimed(waiting(), "worker", NOW), { keys: [], until: NOW + HOURS }, NOW);
  assertEquals(credibleDue(record, NOW - 2 * HOURS), record);
});

Deno.test("a time is corrected once, even if the clock is set back again", () => {
  const once = credibleDue(waiting(500), NOW - 2 * HOURS);
  assertEquals([once.info.revision, dueIn(once, NOW - 2 * HOURS), credibleDue(once, NOW - 2 * HOURS)], [2, 500, once]);
  assertEquals(dueIn(once, NOW - 4 * HOURS), 500);
});

Deno.test("a task ends no earlier than its last change, so that its result does not expire at once", () => {
  const running = claimed(waiting(), "worker", NOW);
  const early = NOW - 2 * HOURS;
  for (
    const { info } of [
      settled(running, { kind: "value", value: 1 }, early, 0).record,
      settled(running, { kind: "fault", message: "no" }, early, 0).record,
      cancelledNow(waiting(), early),
    ]
  ) assertEquals("finishedAt" in info && info.finishedAt, NOW);
});

Deno.test("memory: a delayed task and a retry do not wait for a clock that was set back", async () => {
  using clock = new SetClock();
  await using backend = new MemoryBackend();
  const ended = new Map<string, () => void>();
  backend.watch((event) =>
    event.kind === "change" && event.task.status === "COMPLETED" && ended.get(event.task.id)?.()
  );
  const create = async (delay?: number) => {
    const retry = { attempts: 2, delay: 20, maxDelay: 20 };
    const task = { id: newTaskId(), job: "job", owner: "me", input: {}, resultTtl: 60_000, retry, delay };
    const { promise, resolve } = Promise.withResolvers<void>();
    ended.set(task.id, resolve);
    await backend.create(task);
    return promise;
  };
  clock.ahead = 2 * HOURS;
  const delayed = create(20);
  const flaky = create();
  const worker = backend.work({
    jobs: ["job"],
    concurrency: 1,
    run: ({ task }) => {
      clock.ahead = 0;
      if (task.attempt > 1) return Promise.resolve({ kind: "value", value: 1 });
      return Promise.resolve({ kind: "error", message: "once more", retry: true });
    },
  });
  await Promise.all([delayed, flaky]);
  await worker.stop(0);
});
