/**
 * Plain calls of clients that cannot be asked: the job's questions are answered with `cancel`, and the call ends, whatever
 * the store does at that moment.
 *
 * @module
 */
import { z } from "zod";
import type { Answered } from "../../backend.ts";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BackendError,
  createWorker,
  defineJob,
  type ExposureStrategy,
  type Limits,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  type RegisterOptions,
  SingleToolExposureStrategy,
} from "../../mod.ts";
import type { Answer } from "../../strategy.ts";
import { assertEquals, FakeTime } from "../../tools/std.ts";
import { pass } from "../support/time.ts";
import { Events as RawEvents, Raw } from "./http/support/raw.ts";
import { Events, request } from "./support/modern.ts";
import type { Fields } from "./support/wire_message.ts";

const SCHEMA = z.object({ name: z.string() });

/** Asks twice. */
const curious = defineJob({
  name: "curious",
  input: z.object({}),
  run: async (_, ctx) => {
    const who = await ctx.elicit({ message: "Who?", schema: SCHEMA });
    const whence = await ctx.elicit({ message: "And from where?", schema: SCHEMA });
    return { said: [who.action, whence.action] };
  },
});

/** A store that cannot store the first answers. */
class Failing extends MemoryBackend {
  readonly failed = Promise.withResolvers<void>();
  /** How often answers came. */
  answers = 0;
  #left: number;

  constructor(times: number) {
    super();
    this.#left = times;
  }

  override answer(id: string, owner: string, answers: { readonly [key: string]: Answer }): Promise<Answered> {
    this.answers++;
    if (this.#left-- <= 0) return super.answer(id, owner, answers);
    this.failed.resolve();
    return Promise.reject(new BackendError("Cannot store the answer: the store is away."));
  }
}

interface StageOptions {
  /** How many answers the store cannot store. */
  readonly failures?: number;
  readonly limits?: Limits;
  readonly register?: RegisterOptions;
  readonly strategy?: ExposureStrategy;
}

/** A server with a worker on such a store, without a network. */
class Stage implements AsyncDisposable {
  readonly backend: Failing;
  readonly server: AsyncToolServer;
  readonly #worker;

  constructor({ failures = 0, limits, register, strategy }: StageOptions) {
    this.backend = new Failing(failures);
    this.server = new AsyncToolServer({
      name: "unasked",
      version: "1.0.0",
      backend: this.backend,
      strategy: strategy ?? new OperationResourceStrategy({ notifications: true }),
      audit: () => {},
      limits,
    });
    this.server.registerAsyncTool(curious, register);
    this.#worker = createWorker(this.backend, [curious]);
  }

  /** What a plain call returns to a client of each revision that cannot be asked. */
  readonly calls = {
    "2025-11-25": async () => {
      const raw = await Raw.open(this.server.fetch);
      return (await raw.ask("tools/call", { name: "curious", arguments: {} })).result.structuredContent;
    },
    "2026-07-28": async () => {
      const url = new URL("http://localhost/mcp");
      const response = await this.server.fetch(request(url, "tools/call", { name: "curious", arguments: {} }, {}));
      await using events = new Events(response);
      return (await events.next(({ result }) => result !== undefined)).result?.structuredContent;
    },
  };

  /** A task of a client with these capabilities, once it asks, and how it was described then. */
  readonly tasks = {
    "2025-11-25": async (capabilities: Fields) => {
      const raw = await Raw.open(this.server.fetch, undefined, capabilities);
      await using pushed = await raw.listen();
      const taskId = await raw.start("curious");
      let notification = await pushed.message();
      while (notification.params?.status !== "input_required") notification = await pushed.message();
      return [(await raw.ask("tasks/get", { taskId })).result, notification.params];
    },
    "2026-07-28": async (capabilities: Fields) => {
      const url = new URL("http://localhost/mcp");
      const all = { ...capabilities, extensions: { "io.modelcontextprotocol/tasks": {} } };
      const ask = async (method: string, params: Fields) =>
        new Events(await this.server.fetch(request(url, method, params, all)));
      await using created = await ask("tools/call", { name: "curious", arguments: {} });
      const { taskId } = (await created.next()).result ?? {};
      await using listening = await ask("subscriptions/listen", { notifications: { taskIds: [taskId] } });
      const notification = await listening.next(({ params }) => params?.status === "input_required");
      await using read = await ask("tasks/get", { taskId });
      return [(await read.next()).result, notification.params];
    },
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

const ERAS = ["2025-11-25", "2026-07-28"] as const;
const GOES_ON = 'Waits for the answer to "Who?". This client cannot be asked: the job goes on without that answer.';

Deno.test("the message of a task says what it asks, and whether the client that reads it can be asked", async () => {
  for (const era of ERAS) {
    await using stage = new Stage({});
    for (const task of await stage.tasks[era]({})) {
      const text =
        'Waits for the answer to "Who?". This client cannot be asked: answer in another one, or cancel the task.';
      assertEquals([task?.status, task?.statusMessage], ["input_required", text], era);
    }
    for (const task of await stage.tasks[era]({ elicitation: {} })) {
      const text = 'Waits for the answer to "Who?". The person who uses this client can answer.';
      assertEquals([task?.status, task?.statusMessage], ["input_required", text], era);
    }
  }
});

Deno.test("the progress of a call whose questions are cancelled says that the job goes on without an answer", async () => {
  await using stage = new Stage({});
  const raw = await Raw.open(stage.server.fetch);
  const params = { name: "curious", arguments: {}, _meta: { progressToken: 1 } };
  await using events = new RawEvents(await raw.post("tools/call", params));
  const { method, params: progress } = await events.message();
  assertEquals([method, progress?.message], ["notifications/progress", GOES_ON]);
});

Deno.test("a job knows a question that nobody could be asked from one that the person closed", async () => {
  const ask = defineJob({
    name: "ask",
    input: z.object({}),
    run: async (_, { elicit }) => ({ answer: await elicit({ message: "Who?", schema: SCHEMA }) }),
  });
  const backend = new MemoryBackend();
  await using server = new AsyncToolServer({ name: "asking", version: "1.0.0", backend, audit: () => {} });
  server.registerAsyncTool(ask);
  await using _worker = createWorker(backend, [ask]);
  const call = { name: "ask", arguments: {} };
  const plain = await Raw.open(server.fetch);
  const { structuredContent } = (await plain.ask("tools/call", call)).result;
  assertEquals(structuredContent, { answer: { action: "cancel", answeredBy: "nobody" } });
  const raw = await Raw.open(server.fetch, undefined, { elicitation: {} });
  await using events = new RawEvents(await raw.post("tools/call", call));
  const { id } = await events.message();
  // The client claims what only the server may say.
  const result = { action: "cancel", answeredBy: "nobody" };
  await raw.send({ method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id, result }) });
  assertEquals((await events.message()).result.structuredContent, { answer: { action: "cancel" } });
});

Deno.test("the message of a task whose questions are cancelled says that the job goes on without an answer", async () => {
  for (const era of ERAS) {
    await using stage = new Stage({ failures: Infinity, register: { whenNobodyCanAnswer: "cancel" } });
    for (const task of await stage.tasks[era]({})) assertEquals(task?.statusMessage, GOES_ON, era);
  }
});

Deno.test("a client that cannot be asked gets its result even if the store fails as its questions are cancelled", async () => {
  for (const era of ERAS) {
    using time = new FakeTime();
    await using stage = new Stage({ failures: 1 });
    assertEquals(await pass(time, stage.calls[era]()), { said: ["cancel", "cancel"] }, era);
  }
});

/** The strategies that give out tokens, with the tools that start and read a task. */
const LOOKS = [
  [new PollingExposureStrategy(), "curious_start", "curious_status", {}],
  [new SingleToolExposureStrategy(), "curious", "curious", { action: "check" }],
  [new AdaptiveExposureStrategy({ answerWithin: 0 }), "curious", "task_status", {}],
] as const;

Deno.test("with whenNobodyCanAnswer: cancel, a look at a task cancels its questions, whatever the strategy", async () => {
  for (const [strategy, start, look, check] of LOOKS) {
    await using stage = new Stage({ strategy, register: { whenNobodyCanAnswer: "cancel" } });
    const raw = await Raw.open(stage.server.fetch);
    const call = async (name: string, args: Fields) =>
      (await raw.ask("tools/call", { name, arguments: args })).result.structuredContent;
    let task = await call(start, start === look ? { action: "start" } : {});
    while (task.said === undefined && task.status !== "COMPLETED") {
      task = await call(look, { ...check, token: task.token, wait_seconds: 25 });
    }
    assertEquals(task.result ?? task, { said: ["cancel", "cancel"] }, strategy.constructor.name);
  }
});

Deno.test("without whenNobodyCanAnswer, a look at a task leaves its questions to other clients, whatever the strategy", async () => {
  for (const [strategy, start, look, check] of LOOKS) {
    const stage = new Stage({ strategy });
    const raw = await Raw.open(stage.server.fetch);
    const call = async (name: string, args: Fields) =>
      (await raw.ask("tools/call", { name, arguments: args })).result.structuredContent;
    const asked = Promise.withResolvers<void>();
    stage.backend.watch((event) => {
      if (event.kind === "change" && event.task.status === "INPUT_REQUIRED") asked.resolve();
    });
    const { token } = await call(start, start === look ? { action: "start" } : {});
    await asked.promise;
    const { status } = await call(look, { ...check, token, wait_seconds: 0 });
    assertEquals(status, "INPUT_REQUIRED");
    await stage[Symbol.asyncDispose](); // What looks have begun is done then.
    assertEquals(stage.backend.answers, 0, strategy.constructor.name);
  }
});

Deno.test("cancelling the questions of a client that cannot be asked does not count against its limit of reads", async () => {
  for (const era of ERAS) {
    await using stage = new Stage({ limits: { readsPerMinute: 1 } });
    assertEquals(await stage.calls[era](), { said: ["cancel", "cancel"] }, era);
  }
});

Deno.test("a call that is cancelled while the store fails leaves no attempt to cancel its questions behind", async () => {
  await using stage = new Stage({ failures: Infinity });
  const raw = await Raw.open(stage.server.fetch);
  const ended = Promise.withResolvers<string>();
  stage.backend.watch((event) => {
    if (event.kind === "change" && event.task.status === "CANCELLED") ended.resolve(event.task.status);
  });
  const response = await raw.post("tools/call", { name: "curious", arguments: {} });
  await stage.backend.failed.promise;
  const note = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } };
  await raw.send({ method: "POST", body: JSON.stringify(note) });
  assertEquals(await ended.promise, "CANCELLED");
  await response.body?.cancel();
});
