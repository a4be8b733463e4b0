import { RecoveryWatch } from "../../chaos/recovery.ts";
import type { TaskEvent } from "../../backend.ts";
import type { TaskInfo } from "../../mod.ts";
import { assertEquals, FakeTime } from "../../tools/std.ts";
import { turn } from "../../src/waiting.ts";

const task = { id: "a", job: "job", owner: "ann", createdAt: 0, updatedAt: 0, resultTtl: 60_000 };
const running = (attempt: number, revision: number): TaskInfo => ({ ...task, status: "RUNNING", attempt, revision });
const parked: TaskInfo = { ...task, status: "INPUT_REQUIRED", parked: true, attempt: 1, revision: 3 };

/** A watch on a feed that emits what a test tells it to; a read takes `stored`. */
function watched(stored: TaskInfo) {
  let emit = (_: TaskEvent): void => {};
  const watch = new RecoveryWatch({
    watch: (listener) => {
      emit = listener;
      return () => {};
    },
    get: () => Promise.resolve(stored),
  });
  return { watch, change: (task: TaskInfo) => emit({ kind: "change", task }), gap: () => emit({ kind: "gap" }) };
}

Deno.test("a recovery takes from the death of a worker to the next attempt", () => {
  using time = new FakeTime();
  const { watch, change } = watched(parked);
  change(running(1, 2));
  watch.killed();
  time.tick(3_000);
  change({ ...running(1, 3), status: "PENDING" });
  watch.killed();
  time.tick(500);
  change(running(2, 4));
  assertEquals([watch.slowest, watch.killsOf("a")], [3_500, 1]);
});

Deno.test("a task that was parked in a gap does not wait for another worker until its answer comes", async () => {
  using time = new FakeTime();
  const { watch, change, gap } = watched(parked);
  change(running(1, 2));
  watch.killed();
  gap();
  await turn();
  watch.killed();
  time.tick(60_000);
  change(running(1, 5));
  watch.killed();
  time.tick(3_000);
  change(running(2, 7));
  assertEquals([watch.slowest, watch.killsOf("a")], [3_000, 2]);
});

Deno.test("a task that went on in a gap was not one of a killed worker", async () => {
  using time = new FakeTime();
  const { watch, change, gap } = watched(running(1, 5));
  change(running(1, 2));
  watch.killed();
  time.tick(60_000);
  gap();
  await turn();
  watch.killed();
  time.tick(3_000);
  change(running(2, 7));
  assertEquals(watch.slowest, 3_000);
});

Deno.test("what was read after a gap does not replace a later event", async () => {
  const { watch, change, gap } = watched(running(2, 4));
  change(running(1, 2));
  gap();
  change({ ...task, status: "COMPLETED", attempt: 2, revision: 5, finishedAt: 0 });
  await turn();
  watch.killed();
  assertEquals(watch.killsOf("a"), 0);
});
