import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import {
  call,
  CallToolResultSchema,
  connectHttp,
  type Connection,
  connectStdio,
  McpError,
  readPages,
  serveHttp,
  start,
  textOf,
} from "./support/client.ts";

/** What the official client sees of the operation + resource strategy, over either transport. */
const cases: Readonly<Record<string, (connection: Connection) => Promise<void>>> = {
  async "each job is one tool that may be called as a task, beside the plain tools"({ client }) {
    const { tools } = await client.listTools();
    const support = new Map(tools.map((tool) => [tool.name, tool.execution?.taskSupport]));
    assertEquals(support.get("steps"), "optional");
    assertEquals(support.get("contract"), "optional");
    assert(support.has("ping") && support.get("ping") === undefined);
    assertEquals(support.size, tools.length);
  },

  async "plain tools, prompts and resources of the official API stand beside jobs"({ client }) {
    assertEquals(textOf(await call(client, "ping")), "pong");
    assertEquals((await client.listPrompts()).prompts.map(({ name }) => name), ["greet"]);
    assertEquals((await client.getPrompt({ name: "greet" })).messages.length, 1);
    assertEquals((await client.listResources()).resources.map(({ uri }) => uri), ["info://about"]);
    assertEquals((await client.readResource({ uri: "info://about" })).contents.length, 1);
    const { resourceTemplates } = await client.listResourceTemplates();
    assert(resourceTemplates.some(({ uriTemplate }) => uriTemplate === "mcp://results/steps/{task_id}"));
  },

  async "a plain call receives progress and the result, which names its resource"({ client }) {
    const received: { progress: number; message?: string }[] = [];
    const params = { name: "steps", arguments: { gate: "plain", end: "plain:end", steps: 3 } };
    const last = Promise.withResolvers<void>();
    const onprogress = (progress: typeof received[number]) => {
      received.push(progress);
      if (progress.message === "step 3 of 3") last.resolve();
    };
    const calling = client.callTool(params, undefined, { onprogress });
    const id = textOf(await call(client, "await_gate", { gate: "plain:started" }));
    await call(client, "open_gate", { gate: "plain" });
    // The client drops progress that comes together with the result.
    await last.promise;
    await call(client, "open_gate", { gate: "plain:end" });
    const result = CallToolResultSchema.parse(await calling);
    assertEquals(result.structuredContent, { taken: 3 });
    assertEquals(result.content.length, 1);
    assertEquals(result._meta?.resourceUri, `mcp://results/steps/${id}`);
    const messages = received.map(({ message }) => message);
    assertEquals(messages, ["step 1 of 3", "step 2 of 3", "step 3 of 3"]);
    assert(received.every(({ progress }, index) => index === 0 || progress > (received[index - 1]?.progress ?? 0)));
  },

  async "the official task stream creates, follows and ends with the result"({ client }) {
    await client.listTools();
    await call(client, "open_gate", { gate: "stream" });
    const stream = client.experimental.tasks.callToolStream({ name: "steps", arguments: { gate: "stream", steps: 2 } });
    const messages = await Array.fromAsync(stream);
    assertEquals(messages.at(0)?.type, "taskCreated");
    assertEquals(messages.at(-2)?.type, "taskStatus");
    const last = messages.at(-1);
    assert(last?.type === "result", `The stream ended with ${JSON.stringify(last)}`);
    assertEquals(last.result.structuredContent, { taken: 2 });
  },

  async "a task's changes and progress are pushed in order, and the last one is terminal"({ client, notes, note }) {
    const received: number[] = [];
    const stream = client.experimental.tasks.callToolStream(
      { name: "steps", arguments: { gate: "pushed", end: "pushed:end", steps: 3 } },
      undefined,
      { task: {}, onprogress: ({ progress }) => received.push(progress) },
    );
    const reading = Array.fromAsync(stream);
    const id = textOf(await call(client, "await_gate", { gate: "pushed:started" }));
    const about = ({ method, params }: (typeof notes)[number]) =>
      method === "notifications/tasks/status" && params?.taskId === id;
    // From here on the server follows the task for us, at the latest.
    await client.experimental.tasks.getTask(id);
    await call(client, "open_gate", { gate: "pushed" });
    await note((one) => about(one) && one.params?.statusMessage === "75 %, step 3 of 3");
    await call(client, "open_gate", { gate: "pushed:end" });
    await note((one) => about(one) && one.params?.status === "completed");
    await reading;
    const pushed = notes.filter(about).map(({ params }) => params ?? {});
    assertEquals(pushed.filter(({ status }) => status !== "working"), pushed.slice(-1));
    const steps = pushed.map(({ statusMessage }) => String(statusMessage)).filter((text) => text.includes("step"));
    assertEquals(steps.slice(0, 3), ["25 %, step 1 of 3", "50 %, step 2 of 3", "75 %, step 3 of 3"]);
    const times = pushed.map(({ lastUpdatedAt }) => String(lastUpdatedAt));
    assertEquals(times, times.toSorted());
    assertEquals(received.slice(-3), [0.25, 0.5, 0.75]);
  },

  async "a task is read, refuses its result as a resource, waits, and then gives it"({ client }) {
    const { task, _meta } = await start(client, "hold", { gate: "lifecycle" });
    const tasks = client.experimental.tasks;
    assertEquals((await tasks.getTask(task.taskId)).status, "working");
    const uri = String(_meta?.resourceUri);
    await assertRejects(() => client.readResource({ uri }), McpError, "is RUNNING");
    const waiting = tasks.getTaskResult(task.taskId, CallToolResultSchema);
    await call(client, "open_gate", { gate: "lifecycle" });
    assertEquals((await waiting).structuredContent, { said: "opened" });
    assertEquals((await tasks.getTask(task.taskId)).status, "completed");
    const { contents: [content] } = await client.readResource({ uri });
    assert(content !== undefined && "text" in content);
    assertEquals([content.mimeType, JSON.parse(content.text)], ["application/json", { said: "opened" }]);
    const error = await assertRejects(() => tasks.cancelTask(task.taskId), McpError, "already COMPLETED");
    assertEquals(error.code, -32602);
  },

  async "cancelling a task stops its code"({ client }) {
    const { task } = await start(client, "hold", { gate: "cancelled" });
    await call(client, "await_gate", { gate: "cancelled:started" });
    assertEquals((await client.experimental.tasks.cancelTask(task.taskId)).status, "cancelled");
    assertStringIncludes(textOf(await call(client, "await_gate", { gate: "cancelled:aborted" })), "cancelled");
    assertEquals((await client.experimental.tasks.getTask(task.taskId)).status, "cancelled");
  },

  async "a task that cannot be cancelled says so and runs on"({ client }) {
    const { task } = await start(client, "stubborn", { gate: "stubborn" });
    await assertRejects(() => client.experimental.tasks.cancelTask(task.taskId), McpError, "cannot be cancelled");
    await call(client, "open_gate", { gate: "stubborn" });
    const result = await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    assertEquals(result.structuredContent, { said: "opened" });
  },

  async "a client that cancels a plain call stops the code"({ client }) {
    const stop = new AbortController();
    const params = { name: "hold", arguments: { gate: "plain cancel" } };
    const calling = client.callTool(params, undefined, { signal: stop.signal });
    await call(client, "await_gate", { gate: "plain cancel:started" });
    stop.abort("enough");
    await assertRejects(() => calling, McpError, "enough");
    assertStringIncludes(textOf(await call(client, "await_gate", { gate: "plain cancel:aborted" })), "cancelled");
  },

  async "a job that throws is a tool error, and a fault is a JSON-RPC error, as a call and as a task"({ client }) {
    const failed = await call(client, "fail", { what: "error" });
    assertEquals([failed.isError, textOf(failed)], [true, "Failed: The disk is full."]);
    const fault = await assertRejects(() => call(client, "fault"), McpError, "The engine is on fire.");
    assertEquals(fault.code, -32050);

    const { task } = await start(client, "fail", { what: "error" });
    const result = await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    assertEquals([result.isError, textOf(result)], [true, "Failed: The disk is full."]);
    const status = await client.experimental.tasks.getTask(task.taskId);
    assertEquals([status.status, status.statusMessage], ["failed", "The disk is full."]);

    const { task: broken } = await start(client, "fault");
    const same = await assertRejects(
      () => client.experimental.tasks.getTaskResult(broken.taskId, CallToolResultSchema),
      McpError,
      "The engine is on fire.",
    );
    assertEquals(same.code, -32050);
  },

  async "a result of 2 MB is only at its resource"({ client }) {
    await client.listTools(); // This client holds data against the output schema, which allows a handle.
    const result = await call(client, "big", { size: 2_000_000 });
    const uri = String(result._meta?.resourceUri);
    const [beginning] = result.content;
    assert(beginning?.type === "text" && beginning.text.startsWith('{"text":"xxx'));
    assertStringIncludes(beginning.text, `Read the resource ${uri}?page=1`);
    assertEquals([result.isError, result.structuredContent?.resource], [undefined, uri]);
    assert(result.content.some((block) => block.type === "resource_link" && block.uri === uri));
    assertEquals(JSON.parse(await readPages(client, uri)).text.length, 2_000_000);
    const { pages } = result.structuredContent ?? {};
    const beyond = `${uri}?page=${Number(pages) + 1}`;
    await assertRejects(() => client.readResource({ uri: beyond }), McpError, `it has ${pages} pages`);
  },

  async "a task with a result of 2 MB ends for the official stream, and its result is at its resource"({ client }) {
    await client.listTools();
    const stream = client.experimental.tasks.callToolStream({ name: "big", arguments: { size: 2_000_000 } });
    const last = (await Array.fromAsync(stream)).at(-1);
    assert(last?.type === "result", `The stream ended with ${JSON.stringify(last)}`);
    const uri = String(last.result._meta?.resourceUri);
    assertEquals(JSON.parse(await readPages(client, uri)).text.length, 2_000_000);
  },

  async "resources of unknown and expired tasks each have a clear error"({ client }) {
    const unknown = "mcp://results/steps/019a0000-0000-7000-8000-000000000000";
    await assertRejects(() => client.readResource({ uri: unknown }), McpError, "the id is unknown");
    await assertRejects(() => client.readResource({ uri: "mcp://results/nope/1" }), McpError, "Resource not found");
    const { task, _meta } = await start(client, "fleeting", {}, 1);
    await client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema).catch(() => {});
    const read = () => client.readResource({ uri: String(_meta?.resourceUri) }).then(() => "", String);
    let text = await read();
    for (let tries = 0; text === "" && tries < 1_000; tries++) text = await read();
    assertMatch(text, /its result has expired/);
  },
};

for (const name of ["stdio", "http"] as const) {
  Deno.test(`the operation + resource strategy serves the official client over ${name}`, async (t) => {
    await using http = name === "http" ? await serveHttp("operation") : undefined;
    await using connection = http ? await connectHttp(http.url) : await connectStdio("operation");
    for (const [sentence, run] of Object.entries(cases)) await t.step(sentence, () => run(connection));
  });
}

Deno.test("over stdio the one client lists its tasks, the newest first", async () => {
  await using connection = await connectStdio("operation");
  const { client } = connection;
  const first = await start(client, "contract");
  const second = await start(client, "contract");
  const { tasks } = await client.experimental.tasks.listTasks();
  assertEquals(tasks.map(({ taskId }) => taskId), [second.task.taskId, first.task.taskId]);
});

Deno.test("over HTTP without authentication nobody lists tasks", async () => {
  await using http = await serveHttp("operation");
  await using connection = await connectHttp(http.url);
  const { client } = connection;
  assertEquals(client.getServerCapabilities()?.tasks, { cancel: {}, requests: { tools: { call: {} } } });
  const error = await assertRejects(() => client.experimental.tasks.listTasks(), McpError);
  assertEquals(error.code, -32601);
});
