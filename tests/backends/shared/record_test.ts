import { assert, assertEquals, assertStringIncludes, assertThrows } from "../../../tools/std.ts";
import type { NewTask } from "../../../src/backend.ts";
import {
  answered,
  asked,
  backoff,
  cancelledNow,
  cancelledOutcome,
  claimed,
  crashed,
  created,
  handedBack,
  MAX_CRASHES,
  MAX_HAND_BACKS,
  mayHaveSteps,
  parked,
  reported,
  settled,
  stopped,
  stopRequested,
  type TaskRecord,
  urgencyOf,
} from "../../../src/backends/shared/record.ts";
import { isFinished, openQuestions, type TaskInfo } from "../../../src/task.ts";

const NEW: NewTask = {
  id: "id-1",
  job: "report",
  owner: "me",
  input: {},
  resultTtl: 60_000,
  retry: { attempts: 3, delay: 1_000, maxDelay: 3_000 },
};

const pending = (change: Partial<NewTask> = {}) => created({ ...NEW, ...change }, 1_000);
const running = (change: Partial<NewTask> = {}) => claimed(pending(change), "worker-1", 2_000);
const lost = { kind: "error", message: "no luck", retry: true } as const;

/** The fields of a record that a case is about. */
function pick<K extends string>(info: TaskInfo, ...keys: readonly K[]): unknown[] {
  return keys.map((key) => Object.entries(info).find(([name]) => name === key)?.[1]);
}

function dueAtOf({ info }: TaskRecord): number | undefined {
  return "dueAt" in info ? info.dueAt : undefined;
}

function cancelledWith(record: TaskRecord): readonly [work: string, outcome: string] {
  assert(record.info.status === "CANCELLED");
  assertEquals([record.holder, dueAtOf(record)], [undefined, undefined]);
  const outcome = cancelledOutcome(record.info);
  assert(outcome.kind === "fault");
  return [record.info.work, outcome.message];
}

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

Deno.test("a task that was handed back five times fails at the sixth, and says why", () => {
  let record = running();
  for (let time = 1; time <= MAX_HAND_BACKS; time++) {
    const { record: next, outcome } = handedBack(record, false, [], 3_000);
    assertEquals([next.info.status, next.losses?.handBacks, outcome], ["PENDING", time, undefined]);
    record = claimed(next, "next", 4_000);
  }
  const { record: end, outcome } = handedBack(record, false, [], 5_000);
  assertEquals(pick(end.info, "status", "failure"), ["FAILED", "fault"]);
  assertEquals(outcome?.kind === "fault" && outcome.message.includes("shut down 6 times"), true);
});

Deno.test("a task whose worker dies waits again, and fails once too many workers have died", () => {
  let record = running();
  for (let death = 1; death < MAX_CRASHES; death++) {
    const { record: next, outcome } = crashed(record, [], 3_000);
    assertEquals([next.info.status, next.crashes, next.holder, outcome], ["PENDING", death, undefined, undefined]);
    record = claimed(next, "next", 4_000);
  }
  const { record: end, outcome } = crashed(record, [], 5_000);
  assertEquals(pick(end.info, "status", "failure", "attempt"), ["FAILED", "fault", MAX_CRASHES]);
  assert(outcome?.kind === "fault");
  assertEquals(
    outcome.message,
    "The worker died 3 times while it ran this task, or lost it, so it is not tried again. Look for the reason in the " +
      "worker's output and the log of its machine: too little memory, a crash, or code that blocks the process for longer " +
      "than the lease. The cause may be another task that ran beside this one.",
  );
});

/** The first steps of a job, as they are recorded. */
const stepsOf = (...names: readonly string[]) =>
  names.map((name, index) => ({ index, text: JSON.stringify({ name, place: index, value: null }) }));

/** A task whose worker has died once for each of these, with so much recorded. */
function dyingWith(record: TaskRecord, ...names: readonly (readonly string[])[]) {
  return names.reduce(
    ({ record }, recorded) => crashed(claimed(record, "next", 3_000), stepsOf(...recorded), 4_000),
    { record } as ReturnType<typeof crashed>,
  );
}

Deno.test("deaths count anew once a task has recorded a further step, and the fault names the last one", () => {
  const further = dyingWith(pending(), [], [], ["a"], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c"]);
  assertEquals([further.record.info.status, further.record.crashes], ["PENDING", 7]);
  const { record, outcome } = dyingWith(further.record, ["a", "b", "c"]);
  assertEquals(pick(record.info, "status", "attempt"), ["FAILED", 8]);
  assert(outcome?.kind === "fault");
  assertStringIncludes(
    outcome.message,
    'died 3 times while it ran this task, or lost it, each time after the step "c"',
  );
});

Deno.test("deaths at the first steps of changed code do not count anew until it comes further than at the last death", () => {
  const forgotten = dyingWith(pending(), ["a", "b"], ["a"], ["a"]);
  assertEquals(forgotten.record.info.status, "FAILED");
  assertEquals(dyingWith(pending(), ["a", "b"], ["a"], ["a", "x"]).record.info.status, "PENDING");
});

Deno.test("deaths count anew once a question of the task was answered, and an attempt that failed changes nothing", () => {
  const question = { key: "q1", message: "Sure?", schema: { type: "object" } };
  const twice = dyingWith(asked(running(), [question], 2_500), [], []).record;
  assertEquals(dyingWith(twice, []).record.info.status, "FAILED");
  const replied = answered(twice, { q1: { action: "decline" } }, 4_500);
  assertEquals(dyingWith(replied, [], []).record.info.status, "PENDING");
  assertEquals(dyingWith(replied, [], [], []).record.info.status, "FAILED");
  const retrying = settled(claimed(twice, "next", 5_000), lost, 6_000, 1).record;
  assertEquals(dyingWith(retrying, []).record.info.status, "FAILED");
});

Deno.test("deaths and hand-backs at one place are counted apart, so that neither hides how often the other has happened", () => {
  const twice = dyingWith(pending(), [], []).record;
  const back = handedBack(claimed(twice, "next", 5_000), false, [], 6_000).record;
  assertEquals(back.losses, { recorded: 0, crashes: 2, handBacks: 1 });
  assertEquals(dyingWith(back, []).record.info.status, "FAILED");
});

Deno.test("hand-backs count anew once a task has recorded a further step, and so do deaths before them", () => {
  let { record } = dyingWith(pending(), [], []);
  for (let time = 1; time <= 2 * MAX_HAND_BACKS; time++) {
    const names = Array.from({ length: Math.ceil(time / MAX_HAND_BACKS) }, (_, index) => `step ${index}`);
    ({ record } = handedBack(claimed(record, "next", 5_000), false, stepsOf(...names), 6_000));
    assertEquals([record.info.status, record.losses?.crashes], ["PENDING", 0], `hand-back ${time}`);
  }
  const { record: end } = handedBack(claimed(record, "next", 7_000), false, stepsOf("step 0", "step 1"), 8_000);
  assertEquals(end.info.status, "FAILED");
});

Deno.test("the attempts of a job that fails are counted over all of its steps, and deaths are none of them", () => {
  const dead = dyingWith(pending(), ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", "d"]).record;
  let record = dead;
  for (const status of ["RETRYING", "RETRYING", "FAILED"]) {
    record = settled(claimed(record, "next", 5_000), lost, 6_000, 1).record;
    assertEquals(record.info.status, status);
  }
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
const answer = { action: "accept", content: { year: 2026 } } as const;

Deno.test("a question makes a running task INPUT_REQUIRED until it is answered", () => {
  const asking = asked(running(), [question], 3_000);
  assertEquals(pick(asking.info, "status", "questions"), ["INPUT_REQUIRED", [question]]);
  const going = answered(asking, { q1: answer, stray: answer }, 4_000);
  assertEquals(pick(going.info, "status", "questions"), ["RUNNING", undefined]);
  assertEquals(going.answers, { q1: answer });
});

Deno.test("a question is asked once, however often its worker dies, and its answer is kept", () => {
  const again = claimed(crashed(asked(running(), [question], 3_000), [], 4_000).record, "worker-2", 5_000);
  assertEquals(pick(asked(again, [question], 6_000).info, "status", "questions"), ["INPUT_REQUIRED", [question]]);
  const early = answered(crashed(asked(running(), [question], 3_000), [], 4_000).record, { q1: answer }, 4_500);
  assertEquals([early.info.status, early.answers], ["PENDING", { q1: answer }]);
  const late = claimed(early, "worker-2", 5_000);
  assertEquals(asked(late, [question], 6_000), late);
});

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

Deno.test("a question without an answer in time expires for good, counted from when it was first asked", () => {
  const timed = { ...question, expiresIn: 1_000 };
  const asking = asked(running(), [timed, { ...question, key: "q2" }], 3_000);
  assertEquals(openQuestions(asking.info).map(({ expiresAt }) => expiresAt), [4_000, undefined]);
  const again = asked(claimed(crashed(asking, [], 3_100).record, "worker-2", 3_200), [timed], 3_300);
  assertEquals(openQuestions(again.info)[0]?.expiresAt, 4_000);
  const late = answered(asking, { q1: answer }, 4_000);
  assertEquals([late.info.status, late.answers], ["INPUT_REQUIRED", { q1: { action: "expired" } }]);
  assertEquals(answered(late, { q1: answer }, 4_100), late);
  assertEquals(answered(asking, {}, 3_999), asking);
});

Deno.test("a task whose only question has expired by the time that it is asked again runs on", () => {
  const asking = asked(running(), [{ ...question, expiresIn: 1_000 }], 3_000);
  const { info, answers } = asked(asking, [{ ...question, expiresIn: 1_000 }], 4_000);
  assertEquals([info.status, openQuestions(info), answers], ["RUNNING", [], { q1: { action: "expired" } }]);
});

Deno.test("a task runs on while only questions of its earlier runs are open", () => {
  const timed = { ...question, expiresIn: 1_000 };
  const asking = asked(running(), [timed, { ...question, key: "q2" }], 3_000);
  const again = claimed(crashed(asking, [], 3_500).record, "worker-2", 4_500);
  const { info } = asked(again, [timed], 5_000);
  assertEquals([info.status, openQuestions(info).map(({ key }) => key)], ["RUNNING", ["q2"]]);
});

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
