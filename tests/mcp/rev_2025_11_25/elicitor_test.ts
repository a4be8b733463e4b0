import { MemoryBackend } from "../../../mod.ts";
import { Elicitor } from "../../../src/mcp/rev_2025_11_25/elicit.ts";
import { type RequestContext, TaskServer } from "../../../src/mcp/host.ts";
import { BackendError, LimitExceeded, TaskNotFound } from "../../../src/errors.ts";
import { newTaskId } from "../../../src/ids.ts";
import type { TaskInfo } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import type { ErrorPlace } from "../../../src/log/on_error.ts";
import { assertEquals, assertStringIncludes } from "../../../tools/std.ts";

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
    await new Promise((resolve) => setTimeout(resolve, 0));
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
  await new Promise((resolve) => setTimeout(resolve, 0)); // By then the sending has failed.
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
