/**
 * Questions to clients of 2025-11-25: during a task, during a plain call, and before there is a task; and what a connection
 * does where one cannot be sent, or its answer cannot be stored.
 *
 * @module
 */
import { MemoryBackend } from "../../../mod.ts";
import { Elicitor } from "../../../src/mcp/rev_2025_11_25/elicit.ts";
import { type RequestContext, TaskServer } from "../../../src/mcp/host.ts";
import { BackendError, LimitExceeded, TaskNotFound } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import type { TaskInfo } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import type { ErrorPlace } from "../../../src/log/on_error.ts";
import { pause } from "../../../src/waiting.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { Pipe } from "../support/pipe.ts";
import type { Message } from "../support/wire_message.ts";

const ADA = { action: "accept", content: { name: "Ada" } };
const FORMS = { elicitation: {} };

const isQuestion = ({ method }: Message) => method === "elicitation/create";

Deno.test("a plain call puts the job's question to the client, and returns with the answer", async () => {
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

Deno.test("a task's question is asked once, however often the client reads the task", async () => {
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

Deno.test("an error, or an answer that does not fit, counts as no answer, and the job goes on", async () => {
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

Deno.test("the questions of a plain call are cancelled if its client cannot be asked", async () => {
  for (const capabilities of [{}, { elicitation: { url: {} } }]) {
    await using pipe = await Pipe.open("operation", capabilities);
    assertEquals((await pipe.call("ask")).structuredContent, { action: "cancel", answeredBy: "nobody" });
    const taskId = await pipe.start("ask");
    while ((await pipe.result("tasks/get", { taskId })).status !== "input_required");
    assertEquals((await pipe.result("tasks/cancel", { taskId })).status, "cancelled");
    assertEquals(pipe.messages.filter(isQuestion), []);
  }
});

Deno.test("a missing field is asked for first, and without an answer there is no task", async () => {
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

Deno.test("the start tool of the polling strategy asks for a missing field, too", async () => {
  await using pipe = await Pipe.open("polling", FORMS);
  const { tools } = await pipe.result("tools/list");
  const tool = tools.find(({ name }: { name: string }) => name === "introduce_start");
  assertEquals(tool.inputSchema.required, []);
  const call = pipe.call("introduce_start");
  const { id } = await pipe.next(isQuestion);
  await pipe.send({ jsonrpc: "2.0", id, result: ADA });
  assertEquals((await call).structuredContent.status, "PENDING");
});

Deno.test("a tool that can only run as a task says so, and refuses a plain call with -32601", async () => {
  await using pipe = await Pipe.open("operation");
  const { tools } = await pipe.result("tools/list");
  const tool = tools.find(({ name }: { name: string }) => name === "must");
  assertEquals(tool.execution, { taskSupport: "required" });
  assertEquals((await pipe.error("tools/call", { name: "must", arguments: {} })).code, -32601);
  assertEquals((await pipe.result("tasks/result", { taskId: await pipe.start("must") })).structuredContent, {
    done: true,
  });
});

/** The part of a request that an elicitor reads. */
const REQUEST = { mcpReq: { id: 1 } } as unknown as RequestContext;

function asking(): TaskInfo {
  return {
    id: newTaskId(),
    job: "ask",
    owner: "ann",
    status: "INPUT_REQUIRED",
    revision: 2,
    attempt: 1,
    createdAt: 0,
    updatedAt: 0,
    resultTtl: 60_000,
    questions: [{ key: "name", message: "What is your name?", schema: { type: "object" } }],
  };
}

/** A server whose client gets every question; `asked` has their ids. */
function listening() {
  const server = new TaskServer({ name: "asks", version: "1.0.0" });
  const asked: string[] = [];
  server.getClientCapabilities = () => ({ elicitation: {} });
  server.sendElicitation = (id) => {
    asked.push(id);
    return Promise.resolve();
  };
  return { server, asked };
}

Deno.test("a connection remembers its last 1,000 questions, and no more", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const { server, asked } = listening();
  const elicitor = new Elicitor(server, tasks, "ann");
  const oldest = asking();
  const others = Array.from({ length: 1_000 }, asking);
  for (const task of [oldest, ...others, ...others]) elicitor.ask(task, REQUEST);
  assertEquals(asked.length, 1_001);
  elicitor.ask(oldest, REQUEST);
  assertEquals(asked.length, 1_002);
});

Deno.test("a question whose answer cannot be stored is asked again; one whose task is gone is not", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const { server, asked } = listening();
  const elicitor = new Elicitor(server, tasks, "ann", [0, 0]);
  const task = asking();
  const [id] = [`task-input:${task.id}:name`];
  for (
    const [error, tries, times] of [
      [new TaskNotFound(task.id), 1, 1],
      [new BackendError("The store is away."), 3, 2],
      [new LimitExceeded("readsPerMinute", "Cannot read: too often."), 3, 3],
    ] as const
  ) {
    elicitor.ask(task, REQUEST);
    let tried = 0;
    const done = Promise.withResolvers<void>();
    tasks.answer = () => {
      if (++tried === tries) done.resolve();
      return Promise.reject(error);
    };
    assertEquals(server.onAnswer?.(id, { action: "decline" }), true);
    await done.promise;
    // The outcome of the last try is known a turn later.
    await pause(0);
    elicitor.ask(task, REQUEST);
    assertEquals([tried, asked.length], [tries, times], error.message);
  }
});

Deno.test("a question that could not be sent is asked again, and is not withdrawn where nobody has seen it", async () => {
  await using backend = new MemoryBackend();
  using tasks = new Tasks(backend);
  const { server, asked } = listening();
  const { sendElicitation } = server;
  server.sendElicitation = () => Promise.reject(new Error("The client is gone."));
  const notified: string[] = [];
  server.notifyAsked = (method) => Promise.resolve(void notified.push(method));
  const followers: ((task: TaskInfo) => void)[] = [];
  tasks.follow = (_, follower) => {
    followers.push(follower);
    return () => {};
  };
  const elicitor = new Elicitor(server, tasks, "ann");
  const task = asking();
  const answered: TaskInfo = { ...task, status: "RUNNING", questions: undefined };
  elicitor.ask(task, REQUEST);
  await pause(0); // By then the sending has failed.
  followers.at(-1)?.(answered);
  server.sendElicitation = sendElicitation;
  elicitor.ask(task, REQUEST);
  assertEquals([asked, notified], [[`task-input:${task.id}:name`], []]);
  followers.at(-1)?.(answered);
  assertEquals(notified, ["notifications/cancelled"]);
  elicitor.close();
});

Deno.test("a question that no form can ask is reported, and keeps no question of another task from its client", async () => {
  await using backend = new MemoryBackend();
  const { promise: reported, resolve } = Promise.withResolvers<readonly [unknown, ErrorPlace]>();
  using tasks = new Tasks(backend, Date.now, { onError: (...args) => resolve(args) });
  const { server, asked } = listening();
  const elicitor = new Elicitor(server, tasks, "ann");
  const schema = { type: "object", properties: { tags: { type: "array" } } };
  const task = { ...asking(), questions: [{ key: "tags", message: "Which?", schema }] } as TaskInfo;
  elicitor.ask(task, REQUEST);
  elicitor.ask(asking(), REQUEST);
  assertEquals(asked.length, 1);
  const [error, place] = await reported;
  assertStringIncludes(String(error), "Cannot ask for tags in tags: no form has such a field.");
  assertEquals(place, { where: "ask a question", job: "ask", task: task.id });
  elicitor.close();
});
