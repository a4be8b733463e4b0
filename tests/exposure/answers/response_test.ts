import type { LiveTask, Outcome } from "../../../backend.ts";
import type { Json, TaskInfo } from "../../../mod.ts";
import type { JsonSchema } from "../../../strategy.ts";
import { InvalidInput } from "../../../src/errors.ts";
import { formatResponse, responseSchema, resultOrHandle } from "../../../src/exposure/answers/response.ts";
import { validate } from "../../../src/schema/schema.ts";
import { TaskStatus } from "../../../src/task.ts";
import { assertEquals, assertRejects } from "../../../tools/std.ts";

const live: LiveTask = {
  id: "id-1",
  job: "report",
  owner: "me",
  status: "PENDING",
  revision: 1,
  attempt: 0,
  createdAt: 1,
  updatedAt: 1,
  resultTtl: 60_000,
};
const completed: TaskInfo = { ...live, status: "COMPLETED", finishedAt: 2, progress: 1 };
const failed: TaskInfo = { ...live, status: "FAILED", finishedAt: 2, failure: "tool_error", message: "no" };

const QUESTION = { key: "q", message: "What is your name?", schema: { type: "object" } };

const SHAPES: readonly [what: string, task: TaskInfo, outcome: Outcome | undefined, text: string][] = [
  ["a waiting task", live, undefined, '{"token":"id-1","status":"PENDING"}'],
  [
    "a running task",
    { ...live, status: "RUNNING", progress: 0.6, message: "on it" },
    undefined,
    '{"token":"id-1","status":"RUNNING","progress":0.6,"message":"on it"}',
  ],
  [
    "a running task without progress",
    { ...live, status: "RUNNING", progress: 0, message: "" },
    undefined,
    '{"token":"id-1","status":"RUNNING","progress":0,"message":""}',
  ],
  [
    "a task that waits for an answer",
    { ...live, status: "INPUT_REQUIRED", progress: 0.5, message: "on it", questions: [QUESTION] },
    undefined,
    '{"token":"id-1","status":"INPUT_REQUIRED","progress":0.5,"message":"Waits for the answer to \\"What is your name?\\"' +
    '. This client cannot be asked: answer in another one, or cancel the task."}',
  ],
  [
    "a cancelled task",
    {
      ...live,
      status: "CANCELLED",
      finishedAt: 2,
      work: "stopped",
      progress: 0.17,
      message: "The task was cancelled.",
    },
    undefined,
    '{"token":"id-1","status":"CANCELLED","message":"The task was cancelled."}',
  ],
  [
    "a result",
    completed,
    { kind: "value", value: { total: 3 } },
    '{"token":"id-1","status":"COMPLETED","result":{"total":3}}',
  ],
  [
    "a result of null",
    completed,
    { kind: "value", value: null },
    '{"token":"id-1","status":"COMPLETED","result":null}',
  ],
  [
    "a tool error",
    failed,
    { kind: "tool_error", message: "no" },
    '{"token":"id-1","status":"FAILED","error":"no"}',
  ],
  [
    "a fault",
    failed,
    { kind: "fault", message: "broken", code: 1 },
    '{"token":"id-1","status":"FAILED","error":"broken"}',
  ],
];

for (const [what, task, outcome, text] of SHAPES) {
  Deno.test(`the response for ${what} is as documented, and fits the schema`, async () => {
    const response = JSON.parse(JSON.stringify(formatResponse(task, outcome)));
    assertEquals(response, JSON.parse(text));
    await validate(responseSchema(), response, "response");
  });
}

Deno.test("a response with questions says what to answer: the fields of a form, or the page to open", () => {
  const schema = { $schema: "https://json-schema.org/draft/2020-12/schema", ...QUESTION.schema };
  const page = { ...QUESTION, key: "p", url: "https://example.com/pay", expiresAt: 0 };
  const task: TaskInfo = { ...live, status: "INPUT_REQUIRED", questions: [{ ...QUESTION, schema }, page] };
  const { questions } = formatResponse(task, undefined, { elicitation: false, tool: "task_answer" });
  const { key, message, url } = page;
  assertEquals(questions, [QUESTION, { key, message, url, expires_at: "1970-01-01T00:00:00.000Z" }]);
  assertEquals(formatResponse(live, undefined, { elicitation: false, tool: "task_answer" }).questions, undefined);
});

Deno.test("a response has progress as a person would say it, in whole hundredths", () => {
  const shown = [0, 23 / 31, 0.29, 0.999, 1].map((progress) =>
    formatResponse({ ...live, status: "RUNNING", progress }).progress
  );
  assertEquals(shown, [0, 0.74, 0.29, 0.99, 1]);
});

Deno.test("the schema allows exactly the existing statuses", async () => {
  for (const status of Object.values(TaskStatus)) await validate(responseSchema(), { token: "t", status }, "response");
  await assertRejects(
    () => validate(responseSchema(), { token: "t", status: "DONE" }, "response"),
    InvalidInput,
    "status",
  );
  await assertRejects(() => validate(responseSchema(), { status: "PENDING" }, "response"), InvalidInput, "token");
});

Deno.test("the schema of the response includes that of the job's result", async () => {
  const schema = responseSchema({ type: "object", properties: { total: { type: "number" } }, required: ["total"] });
  await validate(schema, { token: "t", status: "COMPLETED", result: { total: 1 } }, "response");
  const wrong = { token: "t", status: "COMPLETED", result: { total: "much" } };
  await assertRejects(() => validate(schema, wrong, "response"), InvalidInput, "result.total");
});

Deno.test("a job's schema that refers to itself, with or without an id, still works inside that of the response", async () => {
  const node = { type: "object", properties: { name: { type: "string" }, next: { $ref: "#" } }, required: ["name"] };
  const list = {
    type: "object",
    properties: { first: { $ref: "#/$defs/node" } },
    $defs: { node: { ...node, properties: { next: { $ref: "#/$defs/node" } } } },
  };
  const wrongAt: [JsonSchema, Json, string][] = [
    [node, { name: "a", next: { name: "b", next: {} } }, "result.next.next.name"],
    [{ $id: "https://example.com/node", ...node }, { name: "a", next: {} }, "result.next.name"],
    [list, { first: { name: "a", next: {} } }, "result.first.next.name"],
  ];
  for (const [schema, result, path] of wrongAt) {
    const { issues } = await assertRejects(
      () => validate(responseSchema(schema), { token: "t", status: "COMPLETED", result }, "response"),
      InvalidInput,
    );
    assertEquals(issues.map((issue) => issue.path), [path]);
    await assertRejects(() => validate(resultOrHandle(schema), result, "result"), InvalidInput);
  }
});
