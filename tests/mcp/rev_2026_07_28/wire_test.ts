import { assertEquals, assertThrows } from "../../../tools/std.ts";
import type { LiveTask, Outcome } from "../../../backend.ts";
import { InvalidInput, type TaskInfo } from "../../../mod.ts";
import {
  answersTo,
  createTaskResult,
  declaresTasks,
  detailedTask,
  wireTask,
} from "../../../src/mcp/rev_2026_07_28/wire.ts";
import { declaredAsking } from "../../../src/mcp/questions.ts";
import { CreateTaskResultV2Schema, GetTaskResultV2Schema } from "@modelcontextprotocol/ext-tasks/core/v2";

const NOW = 1_800_000_000_000;
const ASKING = { elicitation: true };

const LIVE: LiveTask = {
  id: "01a204db-324d-7000-baf0-ffb9884cbdb0",
  job: "report",
  owner: "local",
  status: "RUNNING",
  revision: 2,
  attempt: 1,
  createdAt: NOW,
  updatedAt: NOW + 10,
  resultTtl: 60_000,
};

const QUESTION = { key: "question-1", message: "Who?", schema: { $schema: "x", type: "object", properties: {} } };

const end = { finishedAt: NOW + 500, updatedAt: NOW + 500 };

/** Every status of a task, with its outcome and its status on the wire. */
const CASES: { readonly [name: string]: readonly [TaskInfo, Outcome | undefined, string, string | undefined] } = {
  "PENDING is working": [{ ...LIVE, status: "PENDING" }, undefined, "working", undefined],
  "RUNNING is working": [LIVE, undefined, "working", undefined],
  "RETRYING is working": [{ ...LIVE, status: "RETRYING" }, undefined, "working", undefined],
  "INPUT_REQUIRED carries its questions": [
    { ...LIVE, status: "INPUT_REQUIRED", questions: [QUESTION] },
    undefined,
    "input_required",
    "inputRequests",
  ],
  "COMPLETED carries its result": [
    { ...LIVE, ...end, status: "COMPLETED" },
    { kind: "value", value: { total: 1 } },
    "completed",
    "result",
  ],
  "a tool error is completed": [
    { ...LIVE, ...end, status: "FAILED", failure: "tool_error" },
    { kind: "tool_error", message: "no" },
    "completed",
    "result",
  ],
  "a fault is failed": [
    { ...LIVE, ...end, status: "FAILED", failure: "fault" },
    { kind: "fault", message: "broken", code: -32001 },
    "failed",
    "error",
  ],
  "CANCELLED carries nothing": [
    { ...LIVE, ...end, status: "CANCELLED", work: "stopped" },
    { kind: "fault", message: "cancelled" },
    "cancelled",
    undefined,
  ],
};

for (const [name, [task, outcome, status, carries]] of Object.entries(CASES)) {
  Deno.test(`2026-07-28: ${name}`, () => {
    const wire = detailedTask(task, outcome, { asking: ASKING });
    assertEquals(wire.status, status);
    for (const field of ["inputRequests", "result", "error"]) assertEquals(field in wire, field === carries, field);
    GetTaskResultV2Schema.parse({ resultType: "complete", ...wire });
    CreateTaskResultV2Schema.parse(createTaskResult(task));
  });
}

Deno.test("2026-07-28: a fault whose code is not a whole number has the code of an internal error", () => {
  const task: TaskInfo = { ...LIVE, ...end, status: "FAILED", failure: "fault" };
  for (const code of ["ENOENT", NaN, 404.5, null, 2 ** 60] as unknown as number[]) {
    const wire = detailedTask(task, { kind: "fault", message: "gone", code }, { asking: ASKING });
    assertEquals(wire.error, { code: -32603, message: "gone" });
    GetTaskResultV2Schema.parse({ resultType: "complete", ...wire });
  }
});

Deno.test("2026-07-28: the time to live grows while a task is running, and is exact once it has ended", () => {
  const ttl = (task: TaskInfo, now: number) => wireTask(task, now).ttlMs;
  assertEquals([ttl(LIVE, NOW), ttl(LIVE, NOW + 5_000)], [60_000, 65_000]);
  const done: TaskInfo = { ...LIVE, ...end, status: "COMPLETED" };
  assertEquals([ttl(done, NOW + 1_000), ttl(done, NOW + 50_000)], [60_500, 60_500]);
});

Deno.test("2026-07-28: the poll interval grows with the age of a task, up to 2 s", () => {
  const interval = (age: number) => wireTask(LIVE, NOW + age).pollIntervalMs;
  assertEquals([0, 60_000, 3_600_000].map(interval), [500, 2_000, 2_000]);
});

Deno.test("2026-07-28: a form has only keywords that forms allow", () => {
  const task: TaskInfo = { ...LIVE, status: "INPUT_REQUIRED", questions: [QUESTION] };
  const { inputRequests } = detailedTask(task, undefined, { asking: ASKING });
  const params = { mode: "form", message: "Who?", requestedSchema: { type: "object", properties: {} } };
  assertEquals(inputRequests, { "question-1": { method: "elicitation/create", params } });
});

Deno.test("2026-07-28: answers to questions that are not open are ignored", () => {
  const task: TaskInfo = { ...LIVE, status: "INPUT_REQUIRED", questions: [QUESTION] };
  const responses = { "question-1": { action: "accept", content: {} }, "question-0": 7, __proto__: { action: "x" } };
  assertEquals(answersTo(task, responses), { "question-1": { action: "accept", content: {} } });
  assertEquals(answersTo(LIVE, responses), {});
});

Deno.test("2026-07-28: an answer accepts, declines or cancels, and anything else is refused", () => {
  const task: TaskInfo = { ...LIVE, status: "INPUT_REQUIRED", questions: [QUESTION] };
  const read = (answer: unknown) => answersTo(task, { "question-1": answer })["question-1"];
  assertEquals(["accept", "decline", "cancel"].map((action) => read({ action })), [
    { action: "accept", content: {} },
    { action: "decline" },
    { action: "cancel" },
  ]);
  for (const wrong of [7, null, {}, { action: "ok" }, { action: "accept", content: 7 }]) {
    assertThrows(() => read(wrong), InvalidInput, "must be accept, decline or cancel");
  }
});

Deno.test("2026-07-28: an object declares the extension; an empty elicitation, or one with form, declares forms", () => {
  const declared = (value: unknown) => declaresTasks({ extensions: { "io.modelcontextprotocol/tasks": value } });
  assertEquals([{}, true, null, undefined, []].map(declared), [true, false, false, false, false]);
  assertEquals([undefined, {}, { extensions: 1 }].map(declaresTasks), [false, false, false]);
  const elicitations = [{}, { form: {} }, { form: {}, url: {} }, { url: {} }, true, undefined];
  assertEquals(elicitations.map((elicitation) => declaredAsking({ elicitation })), [
    { elicitation: true, urls: false },
    { elicitation: true, urls: false },
    { elicitation: true, urls: true },
    { elicitation: false, urls: true },
    { elicitation: false, urls: false },
    { elicitation: false, urls: false },
  ]);
});
