/** Questions and answers that are lost on the way: the session asks again, and a connected client is asked once. */
import { createWorker, MemoryBackend } from "../../../mod.ts";
import { BackendError } from "../../../src/errors.ts";
import { assertEquals } from "../../../tools/std.ts";
import { fixtureServer } from "../../interop/support/fixture.ts";
import { Events, type Message, Raw } from "./support/raw.ts";

const ADA = { action: "accept", content: { name: "Ada" } };

/** The questions on a stream until it ends. */
async function questions(response: Response): Promise<Message[]> {
  const found: Message[] = [];
  await using events = new Events(response);
  for (let event = await events.next(); event; event = await events.next()) {
    if (event.message?.method === "elicitation/create") found.push(event.message);
  }
  return found;
}

/** A server whose worker starts later, and a task that asks as soon as it runs. */
async function stage() {
  const opened = new AsyncDisposableStack();
  const backend = new MemoryBackend();
  const server = opened.use(fixtureServer("operation", backend));
  const raw = await Raw.open(server.fetch, undefined, { elicitation: {} });
  const taskId = await raw.start("ask");
  /** Lets the job ask, and resolves once it has. */
  const ask = async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = backend.watch((event) =>
      event.kind === "change" && event.task.status === "INPUT_REQUIRED" && resolve()
    );
    opened.use(createWorker(backend, server.registry.list().map(({ job }) => job), { grace: 0 }));
    await promise;
    stop();
  };
  const answer = (id: string) =>
    raw.send({ method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id, result: ADA }) });
  return { backend, raw, taskId, ask, answer, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

Deno.test("a question whose stream is broken is sent with the next request, and then not again", async () => {
  await using scene = await stage();
  const { raw, taskId, ask, answer } = scene;
  const broken = new Events(await raw.post("tasks/result", { taskId }));
  const begun = await broken.next();
  await broken[Symbol.asyncDispose]();
  await ask();
  const [question, ...more] = await questions(await raw.post("tasks/get", { taskId }));
  assertEquals([question?.id, more], [`task-input:${taskId}:question-02633ff0843c`, []]);
  assertEquals(await questions(await raw.post("tasks/get", { taskId })), []);
  // The client that resumes the broken stream has been asked meanwhile.
  await using resumed = await raw.listen(begun?.id);
  await answer(question?.id);
  const { result } = await resumed.message();
  assertEquals(result.structuredContent, ADA);
});

Deno.test("a question that is replayed on its resumed stream is not sent again", async () => {
  await using scene = await stage();
  const { raw, taskId, ask, answer } = scene;
  const broken = new Events(await raw.post("tasks/result", { taskId }));
  const begun = await broken.next();
  await broken[Symbol.asyncDispose]();
  await ask();
  await using resumed = await raw.listen(begun?.id);
  const question = await resumed.message();
  assertEquals(question.method, "elicitation/create");
  assertEquals(await questions(await raw.post("tasks/get", { taskId })), []);
  await answer(question.id);
  assertEquals((await resumed.message()).result.structuredContent, ADA);
});

Deno.test("an answer that cannot be stored at first is not lost, and the person is not asked again", async () => {
  await using scene = await stage();
  const { backend, raw, taskId, ask, answer } = scene;
  await ask();
  const [question, ...more] = await questions(await raw.post("tasks/get", { taskId }));
  assertEquals(more, []);
  const store = backend.answer.bind(backend);
  const refused = Promise.withResolvers<void>();
  backend.answer = () => {
    backend.answer = store;
    refused.resolve();
    return Promise.reject(new BackendError("The store is away."));
  };
  assertEquals((await answer(question?.id)).status, 202);
  await refused.promise;
  assertEquals(await questions(await raw.post("tasks/get", { taskId })), []);
  assertEquals((await raw.ask("tasks/result", { taskId })).result.structuredContent, ADA);
});

Deno.test("a repeated tasks/result ends the earlier one whose stream is broken, and no other", async () => {
  await using scene = await stage();
  const { raw, taskId, ask, answer } = scene;
  const broken = new Events(await raw.post("tasks/result", { taskId }));
  const begun = await broken.next();
  await broken[Symbol.asyncDispose]();
  await using first = new Events(await raw.post("tasks/result", { taskId }));
  await using second = new Events(await raw.post("tasks/result", { taskId }));
  await using resumed = await raw.listen(begun?.id);
  const { message } = (await resumed.message()).error;
  assertEquals(message, "The result of this task was requested again: it comes on the stream of the later request.");
  await ask();
  await answer((await first.message()).id);
  for (const events of [first, second]) assertEquals((await events.message()).result.structuredContent, ADA);
});
