import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  type AuditEvent,
  type Authenticate,
  defineJob,
  type Identity,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
} from "../../../../mod.ts";
import { newTaskId } from "../../../../src/ids.ts";
import { peerOf } from "../../../../src/mcp/peer.ts";
import { createWorker } from "../../../../src/worker.ts";
import { assert, assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { byName } from "../support/by_name.ts";
import { type Message, Raw } from "../support/raw.ts";

const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
const idle = defineJob({ name: "idle", input: { type: "object" } });

const ask = defineJob({
  name: "ask",
  input: { type: "object" },
  run: (_, ctx) => ctx.elicit({ message: "Sure?", schema: { type: "object", properties: {} } }),
});

/** How the jobs are offered. */
const STRATEGIES = {
  adaptive: () => new AdaptiveExposureStrategy({ answerWithin: 200 }),
  operation: () => new OperationResourceStrategy({ notifications: true }),
  polling: () => new PollingExposureStrategy(),
  single: () => new SingleToolExposureStrategy(),
};

class House implements AsyncDisposable {
  /** Every read of a task from the store, with its owner. */
  readonly reads: string[] = [];
  readonly server: AsyncToolServer;
  readonly #backend = new MemoryBackend();
  readonly #worker = createWorker(this.#backend, [echo, ask]);

  constructor(strategy: keyof typeof STRATEGIES) {
    const get = this.#backend.get.bind(this.#backend);
    this.#backend.get = (id, owner) => {
      this.reads.push(owner);
      return get(id, owner);
    };
    this.server = new AsyncToolServer({
      name: "house",
      version: "1.0.0",
      backend: this.#backend,
      strategy: STRATEGIES[strategy](),
      authenticate: byName,
    });
    this.server.registerAsyncTool(echo).registerAsyncTool(idle).registerAsyncTool(ask, { answers: "model" });
  }

  open(principal: string): Promise<Raw> {
    return Raw.open(this.server.fetch, principal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

/** What a stranger gets, without the id that they sent. */
const textOf = (answer: Message, id: string) =>
  JSON.stringify({ ...answer, id: 0 }).replaceAll(JSON.stringify(id).slice(1, -1), "<id>")
    .replaceAll(JSON.stringify(JSON.stringify(id)).slice(1, -1), '\\"<id>\\"');

/** Reads a foreign, an unknown and a malformed id. Returns the answer for each, and how often the store was read. */
async function compare(house: House, ids: readonly string[], ask: (id: string) => Promise<Message>) {
  const answers: { readonly text: string; readonly reads: number }[] = [];
  for (const id of ids) {
    const before = house.reads.length;
    const text = textOf(await ask(id), id);
    answers.push({ text, reads: house.reads.length - before });
  }
  return answers;
}

Deno.test("a stranger gets the same answer for a foreign, an unknown and a malformed id in every operation of native tasks", async () => {
  await using house = new House("operation");
  const ann = await house.open("ann");
  const bob = await house.open("bob");
  const done = await ann.start("echo", { secret: 1 });
  await ann.ask("tasks/result", { taskId: done });
  const running = await ann.start("idle");
  for (const method of ["tasks/get", "tasks/result", "tasks/cancel"]) {
    const answers = await compare(house, [done, running, newTaskId(), "nope"], (taskId) => bob.ask(method, { taskId }));
    assertEquals(answers.slice(1), answers.slice(0, -1), method);
    assert(answers[0]?.text.includes("the id is unknown"), answers[0]?.text);
    assertEquals(answers[0]?.reads, 1);
  }
  const uri = (id: string) => `mcp://results/echo/${id}`;
  const answers = await compare(
    house,
    [done, newTaskId(), "nope"],
    (id) => bob.ask("resources/read", { uri: uri(id) }),
  );
  assertEquals(answers.slice(1), answers.slice(0, -1));
  assertEquals(answers[0]?.reads, 1);
  // The owner gets everything, on any connection.
  const again = await house.open("ann");
  assertEquals((await again.ask("tasks/result", { taskId: done })).result.structuredContent, { secret: 1 });
  assertEquals((await again.ask("resources/read", { uri: uri(done) })).result.contents[0].text, '{"secret":1}');
  assertEquals((await again.ask("tasks/cancel", { taskId: running })).result.status, "cancelled");
});

Deno.test("a stranger gets the same answer for a foreign, an unknown and a malformed token in every polling tool", async () => {
  await using house = new House("polling");
  const [ann, bob] = [await house.open("ann"), await house.open("bob")];
  const call = (raw: Raw, name: string, args: Message) => raw.ask("tools/call", { name, arguments: args });
  const { token } = (await call(ann, "idle_start", {})).result.structuredContent;
  for (const tool of ["idle_status", "idle_result", "idle_cancel"]) {
    const answers = await compare(house, [token, newTaskId(), "nope"], (token) => call(bob, tool, { token }));
    assertEquals(answers.slice(1), answers.slice(0, -1), tool);
    assert(answers[0]?.text.includes("the id is unknown"), answers[0]?.text);
  }
  assertEquals((await call(ann, "idle_status", { token })).result.structuredContent.status, "PENDING");
});

Deno.test("a stranger gets the same answer for a foreign, an unknown and a malformed token in every shared tool", async () => {
  await using house = new House("adaptive");
  const [ann, bob] = [await house.open("ann"), await house.open("bob")];
  const call = async (raw: Raw, name: string, args: Message = {}) =>
    (await raw.ask("tools/call", { name, arguments: args })).result;
  const { token: running } = (await call(ann, "idle")).structuredContent;
  const { token: asking, questions: [{ key: question }] } = (await call(ann, "ask")).structuredContent;
  const tools: readonly [string, Message][] = [
    ["task_status", { wait_seconds: 0 }],
    ["task_answer", { question, answer: {} }],
    ["task_cancel", {}],
  ];
  for (const [tool, more] of tools) {
    const ids = [running, asking, newTaskId(), "nope"];
    const answers = await compare(house, ids, (token) => call(bob, tool, { token, ...more }));
    assertEquals(answers.slice(1), answers.slice(0, -1), tool);
    assert(answers[0]?.text.includes("the id is unknown"), answers[0]?.text);
  }
  assertEquals((await call(bob, "task_list")).structuredContent.tasks, []);
  const { tasks } = (await call(ann, "task_list")).structuredContent;
  const states = tasks.map(({ token, status }: Message) => [token, status]);
  assertEquals(states, [[asking, "INPUT_REQUIRED"], [running, "PENDING"]]);
});

Deno.test("a stranger gets the same answer for a foreign, an unknown and a malformed token in the single tool of a job", async () => {
  await using house = new House("single");
  const [ann, bob] = [await house.open("ann"), await house.open("bob")];
  const call = (raw: Raw, args: Message) => raw.ask("tools/call", { name: "idle", arguments: args });
  const { token } = (await call(ann, { action: "start" })).result.structuredContent;
  for (const action of ["check", "cancel"]) {
    const answers = await compare(house, [token, newTaskId(), "nope"], (token) => call(bob, { action, token }));
    assertEquals(answers.slice(1), answers.slice(0, -1), action);
    assert(answers[0]?.text.includes("the id is unknown"), answers[0]?.text);
  }
  assertEquals(
    (await call(ann, { action: "check", token, wait_seconds: 0 })).result.structuredContent.status,
    "PENDING",
  );
});

Deno.test("the list shows the caller's own tasks, and is not offered to anonymous callers", async () => {
  await using house = new House("operation");
  const [ann, bob] = [await house.open("ann"), await house.open("bob")];
  const [first, second] = [await ann.start("idle"), await ann.start("idle")];
  const ids = async (raw: Raw) =>
    (await raw.ask("tasks/list")).result.tasks.map(({ taskId }: { taskId: string }) => taskId);
  assertEquals(await ids(ann), [second, first]);
  assertEquals(await ids(bob), []);

  const strategy = new OperationResourceStrategy();
  await using open = new AsyncToolServer({ name: "open", version: "1", backend: new MemoryBackend(), strategy });
  open.registerAsyncTool(idle);
  const anybody = await Raw.open(open.fetch);
  assertEquals((await anybody.ask("tasks/list")).error.code, -32601);
});

Deno.test("anonymous callers cannot call task_list, which would show them the tokens of all other anonymous callers", async () => {
  await using open = new AsyncToolServer({ name: "open", version: "1", backend: new MemoryBackend() });
  open.registerAsyncTool(idle, { answerWithin: 0 });
  const [one, other] = [await Raw.open(open.fetch), await Raw.open(open.fetch)];
  const call = (raw: Raw, name: string, args: unknown) => raw.ask("tools/call", { name, arguments: args });
  const { token } = (await call(one, "idle", {})).result.structuredContent;
  assertEquals((await call(other, "task_list", {})).error.code, -32602);
  // Whoever knows a token may read its task.
  const status = await call(other, "task_status", { token, wait_seconds: 0 });
  assertEquals(status.result.structuredContent.status, "PENDING");
});

Deno.test("a principal is notified of their own tasks, and of nobody else's", async () => {
  await using house = new House("operation");
  const [ann, bob] = [await house.open("ann"), await house.open("bob")];
  await using notified = await bob.listen();
  const foreign = await ann.start("idle");
  // The stranger has found the id, and reads the task.
  await bob.ask("tasks/get", { taskId: foreign });
  const own = await bob.start("idle");
  await ann.ask("tasks/cancel", { taskId: foreign });
  await bob.ask("tasks/cancel", { taskId: own });
  const { params } = await notified.message();
  assertEquals([params.taskId, params.status], [own, "cancelled"]);
});

Deno.test("a task belongs to its principal, whatever the session", async () => {
  await using house = new House("operation");
  const first = await house.open("ann");
  const id = await first.start("idle");
  await (await first.send({ method: "DELETE" })).body?.cancel();
  const second = await house.open("ann");
  assertEquals((await second.ask("tasks/get", { taskId: id })).result.status, "working");
});

Deno.test("a caller who is rejected, for their token or for the host they call, is told so, and is in the audit log", async () => {
  const audited: unknown[] = [];
  await using server = new AsyncToolServer({
    name: "closed",
    version: "1.0.0",
    backend: new MemoryBackend(),
    strategy: new PollingExposureStrategy(),
    authenticate: byName,
    audit: ({ event, operation, reason }) => audited.push([event, operation, reason]),
  });
  assertEquals((await new Raw(server.fetch).post("tools/list")).status, 401);
  const foreign = { method: "POST", headers: { host: "evil.example.com" } };
  assertEquals((await new Raw(server.fetch, "ann").send(foreign)).status, 403);
  const called = 'HTTP 403 Host "evil.example.com", Origin ""';
  assertEquals(audited, [["refused", "authenticate", "HTTP 401"], ["refused", "authenticate", called]]);
});

Deno.test("a cancel that the job does not allow is in the audit log", async () => {
  const audited: unknown[] = [];
  await using server = fixtureServer("operation", undefined, {
    audit: ({ event, operation, job, reason }) => audited.push([event, operation, job, reason]),
  });
  const raw = await Raw.open(server.fetch);
  const { result } = await raw.ask("tools/call", { name: "stubborn", arguments: { gate: "audit" }, task: {} });
  await raw.ask("tasks/cancel", { taskId: result.task.taskId });
  assertEquals(audited.at(-1), ["refused", "cancel", "stubborn", "Tasks of stubborn cannot be cancelled."]);
});

Deno.test("a plain call of a tool that can only run as a task is in the audit log", async () => {
  const audited: unknown[] = [];
  await using server = fixtureServer("operation", undefined, {
    audit: ({ event, operation, job, reason }) => audited.push([event, operation, job, reason]),
  });
  const raw = await Raw.open(server.fetch);
  assertEquals((await raw.ask("tools/call", { name: "must" })).error.code, -32601);
  assertEquals(audited.slice(1), [["refused", "create", "must", "must can only be called as a task: pass `task`."]]);
});

Deno.test("to cancel a finished task is -32602, even if its job allows no cancel", async () => {
  const backend = new MemoryBackend();
  await using server = fixtureServer("operation", backend);
  const raw = await Raw.open(server.fetch);
  const id = await raw.start("stubborn", { gate: "finished" });
  await backend.cancel(id, "anonymous", 0);
  assertEquals((await raw.ask("tasks/cancel", { taskId: id })).error.code, -32602);
});

Deno.test("an authenticator that fails, or names nobody, rejects every caller", async () => {
  const nobody = "HTTP 401 The principal is empty or not well-formed text.";
  const answers: [Authenticate, number, string][] = [
    [() => Promise.reject(new Error("The directory is down.")), 503, "HTTP 503 The directory is down."],
    [() => undefined as unknown as Identity, 503, "HTTP 503 Cannot destructure"],
    [() => ({ principal: "" }), 401, nobody],
    [() => ({ principal: "\ud800" }), 401, nobody],
  ];
  for (const [authenticate, status, why] of answers) {
    const reasons: (string | undefined)[] = [];
    const backend = new MemoryBackend();
    const strategy = new PollingExposureStrategy();
    const audit = ({ reason }: AuditEvent) => void reasons.push(reason);
    await using server = new AsyncToolServer({ name: "odd", version: "1", backend, strategy, authenticate, audit });
    const response = await new Raw(server.fetch).post("tools/list");
    assertEquals(response.status, status);
    assert(!(await response.text()).includes("directory"), "Why is for the operator alone.");
    assertEquals(reasons.map((reason) => reason?.startsWith(why)), [true]);
  }
});

Deno.test("a principal with a long name, or with one of our own names, gets an owner that nobody else has", () => {
  const owners: string[] = [];
  for (const principal of ["ann", "x".repeat(128), "x".repeat(129), "y".repeat(5_000), "local", "anonymous"]) {
    const peer = peerOf({ principal });
    owners.push(peer?.owner ?? "");
  }
  assertEquals(owners.slice(0, 2), ["ann", "x".repeat(128)]);
  assert(owners.slice(2).every((owner) => /^sha256:[0-9a-f]{64}$/.test(owner)));
  assert(
    peerOf({ principal: owners[2] ?? "" })?.owner !== owners[2],
    "Nobody can take another's hash as name.",
  );
  assertEquals(new Set(owners).size, owners.length);
});
