import { assertEquals } from "../../../../tools/std.ts";
import { answered, asked, claimed, crashed } from "../../../../src/backends/shared/record.ts";
import { openQuestions } from "../../../../src/task.ts";
import { pick, running } from "./support.ts";

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
