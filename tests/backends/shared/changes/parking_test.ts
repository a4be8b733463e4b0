import { assertEquals } from "../../../../tools/std.ts";
import {
  answered,
  asked,
  cancelledNow,
  claimed,
  crashed,
  handedBack,
  mayHaveSteps,
  parked,
  settled,
  stopRequested,
  type TaskRecord,
  urgencyOf,
} from "../../../../src/backends/shared/record.ts";
import { cancelledWith, dueAtOf, lost, pending, pick, running } from "./support.ts";

const QUESTION = { key: "q", message: "Sure?", schema: {} };
const OTHER = { key: "p", message: "Really?", schema: {} };
const YES = { action: "accept", content: {} } as const;
const asking = () => asked(running(), [QUESTION], 3_000);
const parkedFor = (until?: number) => parked(asking(), { keys: ["q"], until }, 4_000).record;

Deno.test("a task that waits for answers is parked without a worker, and resumed within the same attempt", () => {
  const waits = parkedFor();
  assertEquals(pick(waits.info, "status", "parked", "attempt", "questions"), ["INPUT_REQUIRED", true, 1, [QUESTION]]);
  assertEquals([waits.holder, dueAtOf(waits)], [undefined, undefined]);
  const ready = answered(waits, { q: YES }, 5_000);
  assertEquals(pick(ready.info, "status", "parked", "questions"), ["PENDING", undefined, undefined]);
  const resumed = claimed(ready, "worker-2", 6_000);
  assertEquals(pick(resumed.info, "status", "attempt"), ["RUNNING", 1]);
  assertEquals([resumed.answers, mayHaveSteps(resumed), mayHaveSteps(running())], [{ q: YES }, true, false]);
});

Deno.test("a task with several open questions stays parked until the last answer", () => {
  const both = parked(asked(asking(), [OTHER], 3_000), { keys: ["q", "p"] }, 4_000).record;
  const half = answered(both, { q: YES, unknown: YES }, 5_000);
  assertEquals(pick(half.info, "status", "parked", "questions"), ["INPUT_REQUIRED", true, [OTHER]]);
  assertEquals(pick(answered(half, { p: YES }, 6_000).info, "status", "parked"), ["PENDING", undefined]);
});

Deno.test("a parked task asks only what its code waits for", () => {
  const { info } = parked(asked(asking(), [OTHER], 3_000), { keys: ["p"] }, 4_000).record;
  assertEquals(pick(info, "status", "questions"), ["INPUT_REQUIRED", [OTHER]]);
});

Deno.test("a task that sleeps is PENDING and parked until its time, and says so", () => {
  const sleeps = parked(running(), { keys: [], until: 60_000 }, 4_000).record;
  assertEquals(pick(sleeps.info, "status", "parked", "dueAt"), ["PENDING", true, 60_000]);
  assertEquals(sleeps.info.message, "Sleeping until 1970-01-01T00:01:00.000Z.");
  const resumed = claimed(sleeps, "worker-2", 60_000);
  assertEquals(pick(resumed.info, "status", "attempt", "parked", "message", "dueAt"), ["RUNNING", 1, ...Array(3)]);
});

Deno.test("a task that asks and sleeps continues at whichever comes first", () => {
  const both = parkedFor(60_000);
  assertEquals(pick(both.info, "status", "parked", "dueAt"), ["INPUT_REQUIRED", true, 60_000]);
  assertEquals(pick(claimed(both, "worker-2", 60_000).info, "status", "questions", "dueAt"), [
    "RUNNING",
    [QUESTION],
    undefined,
  ]);
  assertEquals(pick(answered(both, { q: YES }, 5_000).info, "status", "dueAt", "parked"), [
    "PENDING",
    undefined,
    undefined,
  ]);
});

Deno.test("a parked task continues when one of its questions expires", () => {
  const timed = asked(running(), [{ ...QUESTION, expiresIn: 2_000 }, OTHER], 3_000);
  const waits = parked(timed, { keys: ["q", "p"] }, 4_000).record;
  assertEquals(pick(waits.info, "status", "parked", "dueAt"), ["INPUT_REQUIRED", true, 5_000]);
  const resumed = asked(claimed(waits, "worker-2", 5_000), [{ ...QUESTION, expiresIn: 2_000 }, OTHER], 5_000);
  assertEquals([resumed.answers, pick(resumed.info, "status", "questions")], [{ q: { action: "expired" } }, [
    "INPUT_REQUIRED",
    [OTHER],
  ]]);
  const late = parked(timed, { keys: ["q"] }, 5_000).record;
  assertEquals(pick(late.info, "status", "parked", "questions"), ["PENDING", undefined, undefined]);
});

Deno.test("a task that has nothing left to wait for as it is parked is ready at once", () => {
  const late = parked(answered(asking(), { q: YES }, 3_500), { keys: ["q"] }, 4_000).record;
  assertEquals(pick(late.info, "status", "parked", "attempt"), ["PENDING", undefined, 1]);
  assertEquals([late.holder, late.resumes], [undefined, true]);
  const past = parked(asking(), { keys: ["q"], until: 4_000 }, 4_000).record;
  assertEquals(pick(past.info, "status", "parked", "questions"), ["PENDING", undefined, [QUESTION]]);
});

Deno.test("a task that is parked just after its last answer goes on, although its code also sleeps", () => {
  const both = asked(asking(), [OTHER], 3_000);
  const awaited = { keys: ["q", "p"], until: 60_000 };
  const half = parked(answered(both, { q: YES }, 3_500), awaited, 4_000).record;
  assertEquals(pick(half.info, "status", "parked", "dueAt"), ["INPUT_REQUIRED", true, 60_000]);
  const all = parked(answered(both, { q: YES, p: YES }, 3_500), awaited, 4_000).record;
  assertEquals(pick(all.info, "status", "parked", "dueAt"), ["PENDING", undefined, undefined]);
  const late = parked(asked(running(), [{ ...QUESTION, expiresIn: 500 }], 3_000), { ...awaited, keys: ["q"] }, 4_000);
  assertEquals(pick(late.record.info, "status", "parked", "dueAt"), ["PENDING", undefined, undefined]);
});

Deno.test("a task that is parked after it was asked to stop is cancelled", () => {
  const { record } = parked(stopRequested(asking(), 3_500), { keys: ["q"] }, 4_000);
  assertEquals(cancelledWith(record)[0], "stopped");
});

Deno.test("a parked task is cancelled at once, and its work has stopped", () => {
  assertEquals(cancelledWith(cancelledNow(parkedFor(60_000), 5_000))[0], "stopped");
  assertEquals(pick(cancelledNow(parkedFor(), 5_000).info, "parked", "questions"), [undefined, undefined]);
});

Deno.test("parking counts as no attempt, whatever happens to the run after it", () => {
  const resumed = claimed(answered(parkedFor(), { q: YES }, 5_000), "worker-2", 6_000);
  const again = (record: TaskRecord) => claimed(record, "worker-3", 9_000).info.attempt;
  assertEquals(again(parked(resumed, { keys: [], until: 8_000 }, 7_000).record), 1);
  assertEquals(again(handedBack(resumed, false, [], 7_000).record), 1);
  assertEquals(again(crashed(resumed, [], 7_000).record), 2);
  assertEquals(again(settled(resumed, lost, 7_000, 1).record), 2);
});

Deno.test("a task that resumes is more urgent than all others of its priority until its attempt is over", () => {
  const ready = answered(parkedFor(), { q: YES }, 5_000);
  assertEquals([urgencyOf(pending()), urgencyOf(ready), urgencyOf(pending({ priority: 7 }))], [0, -0.5, 7]);
  const retried = settled(claimed(ready, "worker-2", 6_000), lost, 7_000, 1).record;
  assertEquals(urgencyOf(retried), 0);
});
