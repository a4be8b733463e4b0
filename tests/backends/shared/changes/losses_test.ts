import { assert, assertEquals, assertStringIncludes } from "../../../../tools/std.ts";
import {
  answered,
  asked,
  claimed,
  crashed,
  handedBack,
  MAX_CRASHES,
  MAX_HAND_BACKS,
  settled,
  type TaskRecord,
} from "../../../../src/backends/shared/record.ts";
import { lost, pending, pick, running } from "./support.ts";

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
