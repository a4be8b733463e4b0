/**
 * Questions to clients of both revisions: during a task, during a plain call, and before
 * there is a task. What the tasks extension does is in transcripts/extension.txt.
 *
 * @module
 */
import { assert, assertEquals, assertMatch } from "../../../tools/std.ts";
import { serveHttp } from "../../interop/support/client.ts";
import { ask, callTool } from "../support/modern.ts";
import { Pipe } from "../support/pipe.ts";
import type { Message } from "../support/wire_message.ts";

const ASKED = "question-02633ff0843c";
const ADA = { action: "accept", content: { name: "Ada" } };
const FORMS = { elicitation: {} };

const isQuestion = ({ method }: Message) => method === "elicitation/create";

Deno.test("2025-11-25: a plain call puts the job's question to the client, and returns with the answer", async () => {
  await using pipe = await Pipe.open("operation", FORMS);
  const call = pipe.call("ask");
  const question = await pipe.next(isQuestion);
  assertEquals(question.params?.message, "What is your name?");
  assertMatch(String(question.id), /^task-input:[0-9a-f-]{36}:question-[0-9a-f]{12}$/);
  // The client knows the call, but not its task.
  assertEquals(question.params?._meta, undefined);
  await pipe.send({ jsonrpc: "2.0", id: question.id, result: ADA });
  assertEquals((await call).structuredContent, ADA);
});

Deno.test("2025-11-25: a task's question is asked once, however often the client reads the task", async () => {
  await using pipe = await Pipe.open("operation", FORMS);
  const taskId = await pipe.start("ask");
  const question = await (async () => {
    while ((await pipe.result("tasks/get", { taskId })).status !== "input_required");
    return await pipe.next(isQuestion);
  })();
  for (let i = 0; i < 3; i++) await pipe.result("tasks/get", { taskId });
  assertEquals(question.params?._meta, { "io.modelcontextprotocol/related-task": { taskId } });
  await pipe.send({ jsonrpc: "2.0", id: question.id, result: { action: "decline" } });
  assertEquals((await pipe.result("tasks/result", { taskId })).structuredContent, { action: "decline" });
  assertEquals(pipe.messages.filter(isQuestion).length, 1);
});

Deno.test("2025-11-25: an error, or an answer that does not fit, counts as no answer, and the job goes on", async () => {
  await using pipe = await Pipe.open("operation", FORMS);
  const answers = [
    { error: { code: -32000, message: "The window was closed." } },
    { result: { action: "accept", content: { name: "" } } },
    { result: { action: "whatever" } },
  ];
  const seen = new Set<Message["id"]>();
  for (const answer of answers) {
    const call = pipe.call("ask");
    const question = await pipe.next((message) => isQuestion(message) && !seen.has(message.id));
    seen.add(question.id);
    await pipe.send({ jsonrpc: "2.0", id: question.id, ...answer });
    assertEquals((await call).structuredContent, { action: "cancel" }, JSON.stringify(answer));
  }
});

Deno.test("2025-11-25: the questions of a plain call are cancelled if its client cannot be asked", async () => {
  for (const capabilities of [{}, { elicitation: { url: {} } }]) {
    await using pipe = await Pipe.open("operation", capabilities);
    assertEquals((await pipe.call("ask")).structuredContent, { action: "cancel", answeredBy: "nobody" });
    const taskId = await pipe.start("ask");
    while ((await pipe.result("tasks/get", { taskId })).status !== "input_required");
    assertEquals((await pipe.result("tasks/cancel", { taskId })).status, "cancelled");
    assertEquals(pipe.messages.filter(isQuestion), []);
  }
});

Deno.test("2025-11-25: a missing field is asked for first, and without an answer there is no task", async () => {
  await using pipe = await Pipe.open("operation", FORMS);
  const { tools } = await pipe.result("tools/list");
  const tool = tools.find(({ name }: { name: string }) => name === "introduce");
  assertEquals([tool.inputSchema.required, Object.keys(tool.inputSchema.properties)], [[], ["name"]]);
  const seen = new Set<Message["id"]>();
  for (const [index, task] of [undefined, {}].entries()) {
    const call = pipe.request("tools/call", { name: "introduce", arguments: {}, ...(task && { task }) });
    const question = await pipe.next((message) => isQuestion(message) && !seen.has(message.id));
    seen.add(question.id);
    const declined = index === 0;
    await pipe.send({ jsonrpc: "2.0", id: question.id, result: declined ? { action: "decline" } : ADA });
    const { result } = await call;
    if (declined) assertEquals([result?.isError, result?.task], [true, undefined]);
    else assertEquals(result?.task.status, "working");
  }
  const plain = await pipe.call("introduce", { name: "Eve" });
  assertEquals(plain.structuredContent, { greeting: "Hello, Eve!" });
});

Deno.test("2025-11-25: the start tool of the polling strategy asks for a missing field, too", async () => {
  await using pipe = await Pipe.open("polling", FORMS);
  const { tools } = await pipe.result("tools/list");
  const tool = tools.find(({ name }: { name: string }) => name === "introduce_start");
  assertEquals(tool.inputSchema.required, []);
  const call = pipe.call("introduce_start");
  const { id } = await pipe.next(isQuestion);
  await pipe.send({ jsonrpc: "2.0", id, result: ADA });
  assertEquals((await call).structuredContent.status, "PENDING");
});

Deno.test("2025-11-25: a tool that can only run as a task says so, and refuses a plain call with -32601", async () => {
  await using pipe = await Pipe.open("operation");
  const { tools } = await pipe.result("tools/list");
  const tool = tools.find(({ name }: { name: string }) => name === "must");
  assertEquals(tool.execution, { taskSupport: "required" });
  assertEquals((await pipe.error("tools/call", { name: "must", arguments: {} })).code, -32601);
  assertEquals((await pipe.result("tasks/result", { taskId: await pipe.start("must") })).structuredContent, {
    done: true,
  });
});

Deno.test("2026-07-28: a plain call returns with the job's question, and goes on when it is called again", async () => {
  await using http = await serveHttp("operation");
  const asked = await callTool(http.url, "ask", {}, {}, FORMS);
  assertEquals([asked.resultType, Object.keys(asked.inputRequests)], ["input_required", [ASKED]]);
  const { requestState } = asked;
  const again = await callTool(http.url, "ask", {}, { requestState }, FORMS);
  assertEquals([again.resultType, again.requestState], ["input_required", requestState]);
  const done = await callTool(http.url, "ask", {}, { requestState, inputResponses: { [ASKED]: ADA } }, FORMS);
  assertEquals([done.resultType, done.structuredContent], ["complete", ADA]);
  const { tasks } = await http.backend.list("anonymous", { limit: 10 });
  assertEquals(tasks.map(({ id, job }) => [id, job]), [[requestState, "ask"]]);
});

Deno.test("2026-07-28: a requestState that names no task of this job is refused", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "must");
  for (const requestState of [taskId, "no such task", "", { id: taskId }]) {
    const params = { name: "ask", arguments: {}, requestState };
    const { error } = await ask(http.url, "tools/call", params, FORMS);
    assertEquals(error?.code, -32602, JSON.stringify(requestState));
  }
});

Deno.test("2026-07-28: answers that come with another tool's call are not stored", async () => {
  await using http = await serveHttp("operation");
  const { requestState } = await callTool(http.url, "ask", {}, {}, FORMS);
  const params = { name: "nothing", arguments: {}, requestState, inputResponses: { [ASKED]: ADA } };
  assertEquals((await ask(http.url, "tools/call", params, FORMS)).error?.code, -32602);
  assertEquals((await http.backend.get(requestState, "anonymous")).status, "INPUT_REQUIRED");
});

Deno.test("2026-07-28: a client that cannot be asked gets no questions", async () => {
  await using http = await serveHttp("operation");
  const only = { extensions: { "io.modelcontextprotocol/tasks": {} } };
  const { taskId } = await callTool(http.url, "ask", {}, {}, only);
  let task = (await ask(http.url, "tasks/get", { taskId }, only)).result;
  while (task?.status === "working") task = (await ask(http.url, "tasks/get", { taskId }, only)).result;
  assertEquals([task?.status, task?.inputRequests], ["input_required", {}]);
  const full = (await ask(http.url, "tasks/get", { taskId })).result;
  assert(ASKED in full?.inputRequests);
  await ask(http.url, "tasks/update", { taskId, inputResponses: { [ASKED]: ADA } });
});

Deno.test("2026-07-28: tasks/update without inputResponses is refused, and with empty ones it is not", async () => {
  await using http = await serveHttp("operation");
  const { taskId } = await callTool(http.url, "contract");
  assertEquals((await ask(http.url, "tasks/update", { taskId, inputResponses: {} })).error, undefined);
  const { error } = await ask(http.url, "tasks/update", { taskId });
  assertEquals([error?.code, error?.message], [-32602, "Invalid params: inputResponses: is missing"]);
});
