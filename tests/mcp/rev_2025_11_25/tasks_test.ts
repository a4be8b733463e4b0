/**
 * "Tasks" of protocol revision 2025-11-25, to the letter, over raw JSON-RPC. Each test names the section that it checks.
 *
 * @module
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../../tools/std.ts";
import { Pipe } from "../support/pipe.ts";
import type { Fields } from "../support/wire_message.ts";

const RELATED = "io.modelcontextprotocol/related-task";
const UNKNOWN = "019a0000-0000-7000-8000-000000000000";

function checkTask(task: Fields): void {
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
  assertEquals(typeof task.taskId, "string");
  assertMatch(task.createdAt, time);
  assertMatch(task.lastUpdatedAt, time);
  assert(Number.isInteger(task.ttl) && task.ttl > 0);
  assert(Number.isInteger(task.pollInterval) && task.pollInterval > 0);
  assertEquals(task._meta, undefined);
}

const cases: Readonly<Record<string, (pipe: Pipe) => Promise<void>>> = {
  async "Capabilities: exactly list, cancel and tools/call"(pipe) {
    const { capabilities } = (await pipe.next(({ result }) => result?.serverInfo !== undefined)).result ?? {};
    assertEquals(capabilities.tasks, { list: {}, cancel: {}, requests: { tools: { call: {} } } });
  },

  async "Tool-Level Negotiation: a tool without task support answers a task with -32601"(pipe) {
    const { tools } = await pipe.result("tools/list");
    assertEquals(tools.find(({ name }: Fields) => name === "steps").execution, { taskSupport: "optional" });
    assertEquals(tools.find(({ name }: Fields) => name === "ping").execution, undefined);
    const error = await pipe.error("tools/call", { name: "ping", arguments: {}, task: {} });
    assertEquals([error.code, error.message], [-32601, "ping cannot be called as a task."]);
  },

  async "Creating Tasks: the answer holds the task alone, working, with the requested ttl"(pipe) {
    const { task, ...rest } = await pipe.call("contract", {}, { task: { ttl: 60_000 } });
    checkTask(task);
    assertEquals([task.status, task.ttl], ["working", 60_000]);
    assertEquals(Object.keys(rest), ["_meta"]);
    assertEquals(rest._meta.resourceUri, `mcp://results/contract/${task.taskId}`);
    assertEquals(typeof rest._meta["io.modelcontextprotocol/model-immediate-response"], "string");
  },

  async "Creating Tasks: a ttl that is no number, or negative, is -32602"(pipe) {
    for (const task of [{ ttl: "long" }, { ttl: -1 }, "yes", []]) {
      assertEquals((await pipe.error("tools/call", { name: "contract", arguments: {}, task })).code, -32602);
    }
  },

  async "Creating Tasks: an input that does not fit is refused before there is a task"(pipe) {
    const error = await pipe.error("tools/call", { name: "strict", arguments: { id: "one" }, task: {} });
    assertEquals(error.code, -32602);
    assertStringIncludes(error.message, "id: ");
  },

  async "Getting Tasks: the whole task, without related-task metadata"(pipe) {
    const taskId = await pipe.start("contract");
    const other = { [RELATED]: { taskId: UNKNOWN } };
    const task = await pipe.result("tasks/get", { taskId, _meta: other });
    checkTask(task);
    assertEquals([task.taskId, task.status], [taskId, "working"]);
  },

  async "Retrieving Task Results: blocks, and returns what the call returns, with related-task"(pipe) {
    const taskId = await pipe.start("steps", { gate: "blocks", steps: 1 });
    const asked = pipe.messages.length;
    const waiting = pipe.result("tasks/result", { taskId });
    // Every later request is answered first, so the result does wait.
    assertEquals((await pipe.result("tasks/get", { taskId })).status, "working");
    assertEquals(pipe.messages.slice(asked).filter(({ result }) => result?.content).length, 0);
    await pipe.call("open_gate", { gate: "blocks" });
    const { _meta, ...result } = await waiting;
    assertEquals(_meta, { resourceUri: `mcp://results/steps/${taskId}`, [RELATED]: { taskId } });
    const { _meta: plainMeta, ...plain } = await pipe.call("steps", { gate: "blocks", steps: 1 });
    const bare = (content: Fields[]) => content.map(({ uri: _, name: __, ...block }) => block);
    assertEquals({ ...result, content: bare(result.content) }, { ...plain, content: bare(plain.content) });
    assertEquals(Object.keys(plainMeta), ["resourceUri"]);
    assertEquals((await pipe.result("tasks/result", { taskId }))._meta, _meta);
  },

  async "Task Execution Errors: a result with isError is a failed task that says why"(pipe) {
    const taskId = await pipe.start("fail", { what: "error" });
    const { isError, content } = await pipe.result("tasks/result", { taskId });
    assertEquals([isError, content], [true, [{ type: "text", text: "Failed: The disk is full." }]]);
    const task = await pipe.result("tasks/get", { taskId });
    checkTask(task);
    assertEquals([task.status, task.statusMessage], ["failed", "The disk is full."]);
  },

  async "Task Execution Errors: a JSON-RPC error of the call is that of tasks/result"(pipe) {
    const plain = await pipe.error("tools/call", { name: "fault", arguments: {} });
    const taskId = await pipe.start("fault");
    assertEquals(await pipe.error("tasks/result", { taskId }), plain);
    assertEquals(plain, { code: -32050, message: "The engine is on fire." });
    assertEquals((await pipe.result("tasks/get", { taskId })).status, "failed");
  },

  async "Task Cancellation: cancelled before the answer, for good, and a second time is -32602"(pipe) {
    const taskId = await pipe.start("hold", { gate: "spec cancel" });
    const cancelled = await pipe.result("tasks/cancel", { taskId });
    checkTask(cancelled);
    assertEquals([cancelled.taskId, cancelled.status], [taskId, "cancelled"]);
    const again = await pipe.error("tasks/cancel", { taskId });
    assertEquals(again.code, -32602);
    assertStringIncludes(again.message, "already CANCELLED");
    assertEquals((await pipe.error("tasks/result", { taskId })).code, -32603);
    assertEquals((await pipe.result("tasks/get", { taskId })).status, "cancelled");
  },

  async "Task Cancellation: a finished task is -32602"(pipe) {
    const taskId = await pipe.start("nothing");
    await pipe.result("tasks/result", { taskId });
    assertEquals((await pipe.error("tasks/cancel", { taskId })).code, -32602);
  },

  async "Task Cancellation: a job registered without cancel is refused"(pipe) {
    const taskId = await pipe.start("stubborn", { gate: "spec stubborn" });
    const error = await pipe.error("tasks/cancel", { taskId });
    assertEquals([error.code, error.message], [-32601, "Tasks of stubborn cannot be cancelled."]);
    assertEquals((await pipe.result("tasks/get", { taskId })).status, "working");
    await pipe.call("open_gate", { gate: "spec stubborn" });
  },

  async "Protocol Errors: an unknown, missing or strange task id is -32602"(pipe) {
    for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
      for (const taskId of [UNKNOWN, "", "__proto__", "constructor", "x".repeat(10_000), 7, null, undefined]) {
        const { code, message } = await pipe.error(method, { taskId });
        assertEquals(code, -32602, `${method} ${taskId}`);
        assert(message.length > 0 && message.length < 500);
      }
    }
  },

  async "TTL: a task whose ttl has passed is -32602 and says so"(pipe) {
    const taskId = await pipe.start("fleeting");
    let message = "";
    for (let tries = 0; message === "" && tries < 1_000; tries++) {
      const answer = await pipe.request("tasks/get", { taskId });
      assertEquals(answer.error?.code ?? -32602, -32602);
      message = answer.error?.message ?? "";
    }
    assertStringIncludes(message, "expired");
  },

  async "Task Progress Notifications: the token of the call stays valid for the task, and never goes back"(pipe) {
    const params = { task: {}, _meta: { progressToken: "token-1" } };
    const { task } = await pipe.call("steps", { gate: "spec progress", steps: 3 }, params);
    // From here on, at the latest, the server follows the task.
    await pipe.result("tasks/get", { taskId: task.taskId });
    await pipe.call("open_gate", { gate: "spec progress" });
    await pipe.result("tasks/result", { taskId: task.taskId });
    const progressed = pipe.messages.filter(({ method }) => method === "notifications/progress")
      .map(({ params }) => params ?? {}).filter(({ progressToken }) => progressToken === "token-1");
    assertEquals(progressed.slice(-3).map(({ progress }) => progress), [0.25, 0.5, 0.75]);
    assertEquals(progressed.at(-1)?._meta, { [RELATED]: { taskId: task.taskId } });
    assert(progressed.every(({ progress }, index) => index === 0 || progress > progressed[index - 1]?.progress));
  },

  async "Task Notifications: the full task in order, without related-task metadata, ending terminal"(pipe) {
    const taskId = await pipe.start("steps", { gate: "spec push", steps: 2 });
    await pipe.result("tasks/get", { taskId });
    await pipe.call("open_gate", { gate: "spec push" });
    const about = ({ method, params }: Fields) => method === "notifications/tasks/status" && params?.taskId === taskId;
    await pipe.next((message) => about(message) && message.params?.status === "completed");
    await pipe.result("tasks/get", { taskId });
    const pushed = pipe.messages.filter(about).map(({ params }) => params ?? {});
    for (const task of pushed) checkTask(task);
    assertEquals(
      pushed.map(({ status, statusMessage }) => [status, statusMessage]).slice(-3),
      [["working", "33 %, step 1 of 2"], ["working", "67 %, step 2 of 2"], ["completed", undefined]],
    );
    assertEquals(pushed.filter(({ status }) => status !== "working").length, 1);
  },

  async "Listing Tasks: pages of the whole list, the newest first, and a bad cursor is -32602"(pipe) {
    const started: string[] = [];
    for (let count = 0; count < 205; count++) started.push(await pipe.start("contract"));
    const listed: Fields[] = [];
    let cursor: string | undefined;
    let pages = 0;
    do {
      const page = await pipe.result("tasks/list", { cursor });
      assertEquals(page._meta, undefined);
      assert(page.tasks.length > 0 && page.tasks.length <= 100);
      listed.push(...page.tasks);
      cursor = page.nextCursor;
      pages++;
    } while (cursor !== undefined);
    assert(pages >= 3);
    assertEquals(listed.slice(0, 205).map(({ taskId }) => taskId), started.toReversed());
    for (const task of listed) checkTask(task);
    for (const bad of ["nonsense", "", "__proto__", 7]) {
      assertEquals((await pipe.error("tasks/list", { cursor: bad })).code, -32602);
    }
  },
};

Deno.test("2025-11-25 tasks, to the letter", async (t) => {
  await using pipe = await Pipe.open("operation");
  for (const [sentence, run] of Object.entries(cases)) await t.step(sentence, () => run(pipe));
});

Deno.test("a plain call that is cancelled, with or without a reason, cancels its work", async () => {
  await using pipe = await Pipe.open("operation");
  for (const reason of ["The user went home.", undefined]) {
    const gate = `cancelled ${reason}`;
    const params = { name: "hold", arguments: { gate } };
    await pipe.send({ jsonrpc: "2.0", id: gate, method: "tools/call", params });
    const [started] = (await pipe.call("await_gate", { gate: `${gate}:started` })).content;
    await pipe.send({ jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: gate, reason } });
    await pipe.call("await_gate", { gate: `${gate}:aborted` });
    assertEquals((await pipe.error("tasks/result", { taskId: started.text })).code, -32603);
  }
});

Deno.test("on a server without native tasks the task field is ignored, and the operations are unknown", async () => {
  await using pipe = await Pipe.open("polling");
  const { capabilities } = (await pipe.next(({ result }) => result?.serverInfo !== undefined)).result ?? {};
  assertEquals(capabilities.tasks, undefined);
  assertEquals((await pipe.call("ping", {}, { task: {} })).content, [{ type: "text", text: "pong" }]);
  assertEquals((await pipe.call("nothing_start", {}, { task: {} })).structuredContent.status, "PENDING");
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel", "tasks/list"]) {
    assertEquals((await pipe.error(method, { taskId: UNKNOWN })).code, -32601);
  }
});
