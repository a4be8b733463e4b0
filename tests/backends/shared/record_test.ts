import { assert, assertEquals, assertThrows } from "../../../tools/std.ts";
import {
  answered,
  asked,
  backoff,
  cancelledNow,
  claimed,
  crashed,
  handedBack,
  parked,
  reported,
  settled,
  stopped,
  stopRequested,
  type TaskRecord,
} from "../../../src/backends/shared/record.ts";
import { isFinished } from "../../../src/task.ts";
import { cancelledWith, dueAtOf, lost, NEW, pending, pick, running } from "./changes/support.ts";

Deno.test("a task that repeats another one names it, through all its changes", () => {
  assertEquals(pick(pending().info, "retryOf"), [undefined]);
  const record = claimed(pending({ retryOf: "id-0" }), "worker-1", 2_000);
  const { info } = settled(record, { kind: "value", value: null }, 3_000, 0).record;
  assertEquals(pick(info, "status", "retryOf"), ["COMPLETED", "id-0"]);
});

Deno.test("a new task is PENDING, held by nobody, and due at once or after its delay", () => {
  const record = pending();
  const { info, holder, priority, crashes } = record;
  assertEquals(pick(info, "status", "revision", "attempt", "createdAt"), ["PENDING", 1, 0, 1_000]);
  assertEquals([dueAtOf(record), holder, priority, crashes], [undefined, undefined, 0, 0]);
  assertEquals([dueAtOf(pending({ delay: 500 })), dueAtOf(pending({ delay: 0 }))], [1_500, undefined]);
});

Deno.test("an owner needs 1 to 128 characters of well-formed text", () => {
  for (const owner of ["", "x".repeat(129), "half a surrogate pair: \ud800"]) {
    assertThrows(() => pending({ owner }), Error, "1 to 128 characters");
  }
  assertEquals(pending({ owner: "x".repeat(128) }).info.owner.length, 128);
});

Deno.test("a result is kept for 0 ms or longer", () => {
  for (const resultTtl of [NaN, -1]) assertThrows(() => pending({ resultTtl }), Error, String(resultTtl));
  assertEquals([pending({ resultTtl: 0 }), pending({ resultTtl: Infinity })].length, 2);
});

Deno.test("a claim begins an attempt, and clears the message of the last one", () => {
  const first = reported(running(), { progress: 0.5, message: "half way" }, 2_500);
  const retrying = settled(first, lost, 3_000, 1).record;
  const record = claimed(retrying, "worker-2", 5_000);
  const { info, holder } = record;
  assertEquals(pick(info, "status", "attempt", "progress", "message"), ["RUNNING", 2, undefined, undefined]);
  assertEquals([holder, dueAtOf(record), info.updatedAt], ["worker-2", undefined, 5_000]);
});

Deno.test("a report changes only what it says, and a long message is cut", () => {
  const half = reported(running(), { progress: 0.5, message: "half way" }, 2_500);
  assertEquals(pick(half.info, "progress", "message"), [0.5, "half way"]);
  assertEquals(pick(reported(half, { message: "on" }, 2_600).info, "progress", "message"), [0.5, "on"]);
  assertEquals(pick(reported(half, { progress: 0.6 }, 2_600).info, "progress", "message"), [0.6, "half way"]);
  assertEquals(["progress", "message"].filter((name) => name in reported(running(), {}, 2_500).info), []);
  const stopping = reported(stopRequested(half, 2_600), { progress: 0.6, message: "on" }, 2_700);
  assertEquals(pick(stopping.info, "progress", "message"), [0.6, "Asked to stop; waits for the worker's answer."]);
  assert((reported(half, { message: "x".repeat(5_000) }, 2_600).info.message?.length ?? 0) <= 1_001);
});

Deno.test("every change raises the revision by one, and time never runs backwards", () => {
  const first = running();
  const second = reported(first, { progress: 0.1 }, 0);
  assertEquals([first.info.revision, second.info.revision], [2, 3]);
  assertEquals(second.info.updatedAt, first.info.updatedAt);
});

Deno.test("a value completes the task, and sets its progress to 1 if it had any", () => {
  const value = { kind: "value", value: { total: 1 } } as const;
  const { record, outcome } = settled(reported(running(), { progress: 0.9, message: "soon" }, 2_500), value, 3_000, 0);
  assertEquals(pick(record.info, "status", "finishedAt", "progress", "message"), ["COMPLETED", 3_000, 1, undefined]);
  assertEquals([outcome, record.holder], [value, undefined]);
  assertEquals(settled(running(), value, 3_000, 0).record.info.progress, undefined);
});

Deno.test("an error is tried again after its pause while attempts are left, then it fails the task", () => {
  let { record } = settled(running(), lost, 3_000, 1);
  assertEquals([record.info.status, dueAtOf(record), record.holder], ["RETRYING", 4_000, undefined]);
  assertEquals(record.info.message, "Attempt 1 of 3 failed: no luck");
  record = settled(claimed(record, "worker-1", 4_000), lost, 5_000, 1).record;
  assertEquals([record.info.status, dueAtOf(record)], ["RETRYING", 7_000]);
  const end = settled(claimed(record, "worker-1", 7_000), lost, 8_000, 1);
  assertEquals(pick(end.record.info, "status", "failure", "message"), ["FAILED", "tool_error", "no luck"]);
  assertEquals(end.outcome, { kind: "tool_error", message: "no luck" });
});

Deno.test("an error that is not to be tried again, and a fault, fail the task at once", () => {
  const refused = settled(running(), { ...lost, retry: false }, 3_000, 0);
  assertEquals(pick(refused.record.info, "status", "failure"), ["FAILED", "tool_error"]);
  const faulty = settled(running(), { kind: "fault", message: "broken", code: -32001 }, 3_000, 0);
  assertEquals(pick(faulty.record.info, "status", "failure"), ["FAILED", "fault"]);
  assertEquals(faulty.outcome, { kind: "fault", message: "broken", code: -32001 });
});

Deno.test("a task that fails has a short message, and its outcome the whole one", () => {
  const message = "x".repeat(100_000);
  const { record, outcome } = settled(running(), { kind: "fault", message }, 3_000, 0);
  assertEquals(outcome, { kind: "fault", message });
  assert((record.info.message?.length ?? Infinity) <= 1_001);
});

Deno.test("the pause doubles to its limit, and lies between half and all of it", () => {
  const retry = { attempts: 9, delay: 100, maxDelay: 500 };
  assertEquals([1, 2, 3, 4, 5].map((attempt) => backoff(retry, attempt, 1)), [100, 200, 400, 500, 500]);
  assertEquals([0, 0.5, 1].map((random) => backoff(retry, 2, random)), [100, 150, 200]);
  assertEquals(backoff({ ...retry, delay: 0 }, 3, 0.7), 0);
  assertEquals(backoff(retry, 5_000, 1), 500);
});

Deno.test("a task that is handed back waits again, and the attempt does not count", () => {
  const { record: { info, holder } } = handedBack(running(), false, [], 3_000);
  assertEquals([info.status, info.attempt, holder], ["PENDING", 0, undefined]);
});

Deno.test("a cancel says whether the work never started, has stopped, or was only asked to stop", () => {
  assertEquals(cancelledWith(cancelledNow(pending(), 3_000))[0], "never_started");
  assertEquals(cancelledWith(cancelledNow(pending({ delay: 10 }), 3_000))[0], "never_started");
  const retrying = settled(running(), lost, 3_000, 1).record;
  assertEquals(cancelledWith(cancelledNow(retrying, 3_000))[0], "stopped");
  const asked = stopRequested(running(), 3_000);
  assertEquals(pick(asked.info, "status", "stopRequested"), ["RUNNING", true]);
  assertEquals(cancelledWith(cancelledNow(asked, 4_000))[0], "stop_requested");
  assertEquals(cancelledWith(stopped(asked, 4_000))[0], "stopped");
});

Deno.test("a cancellation does not claim that abandoned code has stopped, nor that work which had begun never started", () => {
  const abandoned = { ...lost, abandoned: true } as const;
  const retrying = settled(running(), abandoned, 3_000, 1).record;
  assertEquals(cancelledWith(cancelledNow(retrying, 3_000))[0], "stop_requested");
  // The next run says nothing of the one before.
  assertEquals(cancelledWith(stopped(claimed(retrying, "next", 4_000), 5_000))[0], "stop_requested");
  assertEquals(
    cancelledWith(settled(stopRequested(running(), 3_000), abandoned, 4_000, 0).record)[0],
    "stop_requested",
  );
  assertEquals(cancelledWith(cancelledNow(handedBack(running(), false, [], 3_000).record, 4_000))[0], "stopped");
  assertEquals(cancelledWith(cancelledNow(handedBack(running(), true, [], 3_000).record, 4_000))[0], "stop_requested");
});

Deno.test("a task that was asked to stop ends as cancelled, however its run ends", () => {
  const asked = stopRequested(running(), 3_000);
  for (const attempt of [{ kind: "value", value: 1 }, lost, { kind: "fault", message: "broken" }] as const) {
    const { record, outcome } = settled(asked, attempt, 4_000, 0);
    assertEquals([cancelledWith(record)[0], outcome], ["stopped", undefined]);
  }
  assertEquals(cancelledWith(handedBack(asked, false, [], 4_000).record)[0], "stopped");
  const [work, message] = cancelledWith(crashed(asked, [], 4_000).record);
  assertEquals([work, message], ["stopped", "The task was cancelled; its worker has died."]);
});

Deno.test("a finished task refuses every change", () => {
  const ends = [
    settled(running(), { kind: "value", value: 1 }, 3_000, 0).record,
    settled(running(), { kind: "fault", message: "broken" }, 3_000, 0).record,
    cancelledNow(pending(), 3_000),
  ];
  const changes: readonly ((record: TaskRecord) => unknown)[] = [
    (record) => claimed(record, "w", 4_000),
    (record) => reported(record, { progress: 1 }, 4_000),
    (record) => settled(record, lost, 4_000, 0),
    (record) => handedBack(record, false, [], 4_000).record,
    (record) => crashed(record, [], 4_000),
    (record) => stopRequested(record, 4_000),
    (record) => stopped(record, 4_000),
    (record) => cancelledNow(record, 4_000),
  ];
  for (const record of ends) {
    assert(isFinished(record.info));
    for (const change of changes) assertThrows(() => change(record), Error, "never changes");
  }
});

Deno.test("a task that does not run has no attempt to be tried again", () => {
  assertThrows(() => settled(pending(), lost, 2_000, 0), Error, "from PENDING to RETRYING");
});

const question = { key: "q1", message: "Which year?", schema: { type: "object" } };

Deno.test("a run that ended with its worker takes none of the job's attempts away", () => {
  const again = claimed(crashed(running(), [], 3_000).record, "worker-2", 4_000);
  const { record } = settled(again, lost, 5_000, 0);
  assertEquals(pick(record.info, "status", "attempt"), ["RETRYING", 2]);
  assert(record.info.message?.startsWith("Attempt 1 of 3 failed"));
  assertEquals(dueAtOf(settled(again, lost, 5_000, 1).record), 5_000 + NEW.retry.delay);
});

Deno.test("a finished task keeps none of its answers, because only running code reads them", () => {
  const asking = asked(running(), [{ key: "q", message: "?", schema: {} }], 3_000);
  const record = answered(asking, { q: { action: "decline" } }, 4_000);
  assertEquals(record.answers, { q: { action: "decline" } });
  const ends = [
    settled(record, { kind: "value", value: 1 }, 5_000, 0).record,
    settled(record, { ...lost, retry: false }, 5_000, 0).record,
    stopped(record, 5_000),
  ];
  assertEquals(ends.map(({ answers }) => answers), [undefined, undefined, undefined]);
  assertEquals(settled(record, lost, 5_000, 0).record.answers, record.answers);
});

Deno.test("a finished task has no open question, due time or request to stop, however it ends", () => {
  const record = stopRequested(asked(running(), [question], 3_000), 4_000);
  const unasked = asked(running(), [question], 3_000);
  const waits = parked(unasked, { keys: ["q1"], until: 9_000 }, 4_000).record;
  const ends = [
    settled(unasked, { kind: "value", value: 1 }, 5_000, 0).record,
    settled(unasked, { ...lost, retry: false }, 5_000, 0).record,
    stopped(record, 5_000),
    cancelledNow(record, 5_000),
    cancelledNow(waits, 5_000),
  ];
  for (const { info } of ends) {
    assert(isFinished(info));
    assertEquals(pick(info, "questions", "dueAt", "stopRequested", "parked"), [
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  }
});
