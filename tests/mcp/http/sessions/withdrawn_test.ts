/** A question that no longer needs an answer disappears from the screen of the person. */
import { createWorker, MemoryBackend } from "../../../../mod.ts";
import { assertEquals } from "../../../../tools/std.ts";
import { fixtureServer } from "../../../interop/support/fixture.ts";
import { Events, type Message, Raw } from "../support/raw.ts";

const ADA = { action: "accept", content: { name: "Ada" } };

class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly server = fixtureServer("operation", this.backend);
  worker = this.work();

  work() {
    return createWorker(this.backend, this.server.registry.list().map(({ job }) => job));
  }

  /** A client that can be asked. */
  client(): Promise<Raw> {
    return Raw.open(this.server.fetch, undefined, { elicitation: {} });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close();
    await this.worker.close(0);
    await this.backend[Symbol.asyncDispose]();
  }
}

/** Reads a task until its question comes. */
async function questionOf(raw: Raw, taskId: string): Promise<Message> {
  while (true) {
    await using events = new Events(await raw.post("tasks/get", { taskId }));
    const message = await events.message();
    if (message.method === "elicitation/create") return message;
  }
}

/** The next message on a stream that is not a change of a task. */
async function next(events: Events): Promise<Message> {
  for (let message = await events.message();; message = await events.message()) {
    if (message.method !== "notifications/tasks/status") return message;
  }
}

function answer(raw: Raw, id: string): Promise<Response> {
  return raw.send({ method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id, result: ADA }) });
}

Deno.test("a call that is cancelled withdraws the questions of its job on its own stream", async () => {
  await using stage = new Stage();
  const raw = await stage.client();
  await using call = new Events(await raw.post("tools/call", { name: "ask", arguments: {} }));
  const { id } = await call.message();
  await raw.cancel(raw.id);
  const taken = await call.message();
  assertEquals([taken.method, taken.params.requestId], ["notifications/cancelled", id]);
  // A call that has lasted is also told by which id it could be resumed.
  for (let event = await call.next(); event; event = await call.next()) assertEquals(event.message, undefined);
});

Deno.test("the end of a task withdraws its question before waiting calls get the result", async () => {
  await using stage = new Stage();
  const raw = await stage.client();
  const taskId = await raw.start("ask");
  await using waiting = new Events(await raw.post("tasks/result", { taskId }));
  const { id } = await waiting.message();
  await raw.ask("tasks/cancel", { taskId });
  const taken = await waiting.message();
  assertEquals([taken.method, taken.params.requestId], ["notifications/cancelled", id]);
  assertEquals(typeof (await waiting.message()).error.message, "string");
});

Deno.test("a question that one client answers is withdrawn from the other clients only, on their open streams", async () => {
  await using stage = new Stage();
  const [first, second] = [await stage.client(), await stage.client()];
  const taskId = await first.start("ask");
  await using listening = await first.listen();
  await using other = await second.listen();
  const { id } = await questionOf(first, taskId);
  assertEquals((await questionOf(second, taskId)).id, id);
  await answer(second, id);
  const taken = await next(listening);
  assertEquals([taken.method, taken.params.requestId], ["notifications/cancelled", id]);
  assertEquals((await second.ask("tasks/result", { taskId })).result.structuredContent, ADA);
  // The next message of the second client is a change of another task: it got nothing before.
  const { result } = await second.ask("tools/call", { name: "contract", arguments: {}, task: {} });
  await second.ask("tasks/cancel", { taskId: result.task.taskId });
  for (let seen = ""; seen !== result.task.taskId;) {
    const { method, params } = await other.message();
    assertEquals(method, "notifications/tasks/status");
    seen = params.taskId;
  }
});

Deno.test("a question stays open while its task waits for another worker", async () => {
  await using stage = new Stage();
  const raw = await stage.client();
  const taskId = await raw.start("ask");
  await using waiting = new Events(await raw.post("tasks/result", { taskId }));
  const { id } = await waiting.message();
  await stage.worker.close(0);
  stage.worker = stage.work();
  await answer(raw, id);
  assertEquals((await waiting.message()).result.structuredContent, ADA);
});

Deno.test("a question that was withdrawn is not replayed to a client that resumes", async () => {
  await using stage = new Stage();
  const raw = await stage.client();
  const taskId = await raw.start("ask");
  await using listening = await raw.listen();
  const waiting = new Events(await raw.post("tasks/result", { taskId }));
  const begun = await waiting.next();
  await waiting.message();
  await waiting[Symbol.asyncDispose]();
  await raw.ask("tasks/cancel", { taskId });
  assertEquals((await next(listening)).method, "notifications/cancelled");
  await using resumed = await raw.listen(begun?.id);
  assertEquals(typeof (await resumed.message()).error.message, "string");
});
