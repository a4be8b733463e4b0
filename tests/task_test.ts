import { assert, assertEquals, assertThrows } from "../tools/std.ts";
import {
  canMove,
  expiresAt,
  hasExpired,
  isFinished,
  isTerminal,
  openQuestions,
  type TaskInfo,
  TaskStatus,
} from "../src/task.ts";

const ALL = Object.values(TaskStatus);
const FINAL: readonly TaskStatus[] = ["COMPLETED", "FAILED", "CANCELLED"];

function task(change: Partial<TaskInfo> = {}): TaskInfo {
  const base = { id: "a", job: "j", owner: "o", revision: 1, attempt: 0, createdAt: 1, updatedAt: 1, resultTtl: 50 };
  return { ...base, status: "PENDING", ...change } as TaskInfo;
}

Deno.test("each state has the name of its constant", () => {
  for (const [name, value] of Object.entries(TaskStatus)) assertEquals<string>(name, value);
});

Deno.test("what is no task is refused with an error that says what isFinished takes", () => {
  for (
    const [wrong, found] of [[undefined, "undefined"], [null, "undefined"], [{ status: "DONE" }, '"DONE"']] as const
  ) {
    const expected = `Cannot tell whether a task has ended: its status is ${found}, which is none of TaskStatus.`;
    assertThrows(() => Reflect.apply(isFinished, undefined, [wrong]), TypeError, expected);
  }
});

Deno.test("exactly the finished states allow no transition", () => {
  for (const status of ALL) {
    assertEquals(isTerminal(status), FINAL.includes(status), status);
    assertEquals(ALL.some((to) => canMove(status, to)), !FINAL.includes(status), status);
  }
});

Deno.test("every unfinished task can be cancelled and can fail", () => {
  for (const status of ALL.filter((one) => !FINAL.includes(one))) {
    assert(canMove(status, "CANCELLED"), status);
    assert(canMove(status, "FAILED"), status);
  }
});

Deno.test("a task completes, or is retried, only after it has run", () => {
  assertEquals(ALL.filter((from) => canMove(from, "COMPLETED")), ["RUNNING", "INPUT_REQUIRED"]);
  assertEquals(ALL.filter((from) => canMove(from, "RETRYING")), ["RUNNING", "INPUT_REQUIRED"]);
});

Deno.test("a result expires when its time to live after the end is over, and an unfinished task never does", () => {
  assertEquals(expiresAt(task()), undefined);
  const done = task({ status: "COMPLETED", finishedAt: 1_000 });
  assert(isFinished(done));
  assertEquals(expiresAt(done), 1_050);
  assertEquals([hasExpired(done, 1_049), hasExpired(done, 1_050)], [false, true]);
  assertEquals(hasExpired(task(), Infinity), false);
});

Deno.test("questions stay open until they are answered or their task ends, whether it is running or waiting", () => {
  const questions = [{ key: "which", message: "Which?", schema: {} }];
  for (const status of ["INPUT_REQUIRED", "PENDING", "RETRYING"] as const) {
    assertEquals(openQuestions(task({ status, questions })), questions);
  }
  assertEquals([task(), task({ status: "CANCELLED" })].map(openQuestions), [[], []]);
});
