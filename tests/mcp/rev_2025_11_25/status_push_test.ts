import { MemoryBackend } from "../../../mod.ts";
import { newTaskId } from "../../../src/ids.ts";
import { StatusPush } from "../../../src/mcp/rev_2025_11_25/status_push.ts";
import type { FinishedTask, LiveTask, TaskInfo } from "../../../src/task.ts";
import { Tasks } from "../../../src/tasks/tasks.ts";
import { pause } from "../../../src/waiting.ts";
import { assertEquals } from "../../../tools/std.ts";

const CREATED: LiveTask = {
  id: newTaskId(),
  job: "report",
  owner: "ann",
  status: "PENDING",
  revision: 1,
  attempt: 1,
  createdAt: 0,
  updatedAt: 0,
  resultTtl: 60_000,
};
const HALF: LiveTask = { ...CREATED, status: "RUNNING", revision: 2, progress: 0.5, message: "half" };
const ASKS: LiveTask = {
  ...HALF,
  status: "INPUT_REQUIRED",
  revision: 3,
  questions: [{ key: "name", message: "Who?", schema: { type: "object" } }],
};
const DONE: FinishedTask = { ...CREATED, status: "COMPLETED", revision: 4, progress: 1, finishedAt: 1 };

/** A connection that pushes. `change` changes a task; `pushed` is what its client gets. */
function connection(options: { readonly notifications?: boolean; readonly canAsk?: boolean } = {}) {
  const backend = new MemoryBackend();
  const tasks = new Tasks(backend);
  const listeners = new Map<string, (task: TaskInfo) => void>();
  let follows = 0;
  tasks.follow = ({ id }, listener) => {
    follows++;
    listeners.set(id, listener);
    return () => void listeners.delete(id);
  };
  const pushed: { readonly method: string; readonly params: Record<string, unknown> }[] = [];
  const push = new StatusPush(tasks, {
    notify: (method, params) => void pushed.push({ method: method.replace("notifications/", ""), params }),
    notifications: options.notifications ?? true,
    asking: () => ({ elicitation: options.canAsk ?? true }),
  });
  return {
    push,
    pushed,
    change: (task: TaskInfo) => listeners.get(task.id)?.(task),
    statuses: () => pushed.map(({ method, params }) => [method, params.status ?? params.progress]),
    follows: () => follows,
    async [Symbol.asyncDispose]() {
      push[Symbol.dispose]();
      tasks[Symbol.dispose]();
      await backend[Symbol.asyncDispose]();
    },
  };
}

Deno.test("the changes of a created task are pushed once its call is answered, until it ends", async () => {
  await using client = connection();
  client.push.created(CREATED);
  client.change(HALF);
  assertEquals([client.follows(), client.statuses()], [0, []]);
  await pause(0); // The call is answered in this turn of the event loop.
  for (const task of [CREATED, HALF, ASKS, DONE, DONE]) client.change(task);
  assertEquals(client.statuses(), [
    ["tasks/status", "working"],
    ["tasks/status", "input_required"],
    ["tasks/status", "completed"],
  ]);
  assertEquals(client.push.isFollowing(CREATED.id), false);
});

Deno.test("progress is pushed under the token of the call, and names its task", async () => {
  await using client = connection({ notifications: false });
  client.push.created(CREATED, "token");
  await pause(0);
  client.change(HALF);
  assertEquals(client.pushed, [{
    method: "progress",
    params: {
      progressToken: "token",
      progress: 0.5,
      total: 1,
      message: "half",
      _meta: { "io.modelcontextprotocol/related-task": { taskId: CREATED.id } },
    },
  }]);
  client.change(DONE);
  assertEquals(client.pushed.length, 1);
});

Deno.test("a task without a token is not followed where no changes are pushed", async () => {
  await using client = connection({ notifications: false });
  client.push.created(CREATED);
  await pause(0);
  assertEquals([client.follows(), client.push.isFollowing(CREATED.id)], [0, false]);
});

Deno.test("a client that reads its task before the call's turn is over gets each change once", async () => {
  await using client = connection();
  client.push.created(CREATED, 1);
  client.push.follow(HALF);
  await pause(0);
  client.push.follow(CREATED);
  assertEquals(client.follows(), 1);
  client.change(HALF);
  client.change(DONE);
  assertEquals(client.statuses(), [["tasks/status", "completed"]]);
});

Deno.test("a task that is read after its end is not followed", async () => {
  await using client = connection();
  client.push.follow(DONE);
  assertEquals([client.follows(), client.push.isFollowing(DONE.id)], [0, false]);
});

Deno.test("the status message tells a client that cannot be asked what a task asks", async () => {
  await using client = connection({ canAsk: false });
  client.push.follow(HALF);
  client.change(ASKS);
  const why = 'Waits for the answer to "Who?". This client cannot be asked: answer in another one, or cancel the task.';
  assertEquals(client.pushed.map(({ params }) => params.statusMessage), [`50 %, ${why}`]);
});

Deno.test("a closed connection follows nothing, not even a task that was just created", async () => {
  await using client = connection();
  client.push.follow(HALF);
  const other = { ...CREATED, id: newTaskId() };
  client.push.created(other);
  client.push[Symbol.dispose]();
  client.push.created({ ...CREATED, id: newTaskId() });
  client.push.follow(other);
  await pause(0);
  client.change(DONE);
  assertEquals([client.follows(), client.pushed], [1, []]);
});

Deno.test("a task that ends before the call's turn is over has its end pushed once", async () => {
  await using client = connection();
  client.push.created(CREATED);
  client.push.follow(HALF);
  client.change(DONE);
  await pause(0);
  assertEquals([client.follows(), client.statuses()], [1, [["tasks/status", "completed"]]]);
});

Deno.test("a connection that is closed before the call's turn is over leaves no timer behind", async () => {
  await using client = connection();
  client.push.created(CREATED);
});

Deno.test("what a failover has left of a task is pushed, although the client knows a later state", async () => {
  await using client = connection();
  client.push.follow({ ...ASKS, revision: 7 });
  for (const task of [HALF, DONE]) client.change(task);
  assertEquals(client.statuses(), [["tasks/status", "working"], ["tasks/status", "completed"]]);
});
