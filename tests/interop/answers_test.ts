/**
 * Who answers what a job asks: real clients of 2025-11-25 that can ask a person, that can only open pages, or that can ask
 * nobody, in front of one server, on KV and on Redis.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  type ClientCapabilities,
  CreateTaskResultSchema,
  ElicitationCompleteNotificationSchema,
  type ElicitRequest,
  ElicitRequestSchema,
  type ElicitResult,
} from "@modelcontextprotocol/sdk/types.js";
import { z } from "zod";
import {
  AsyncToolServer,
  type AuditEvent,
  type Backend,
  BullMqBackend,
  createWorker,
  defineJob,
  DenoKvBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
  type Worker,
} from "../../mod.ts";
import type { JobPolicy } from "../../strategy.ts";
import { noRedis, openRedis } from "../../tools/redis_server.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../../tools/std.ts";
import { Events, request } from "../mcp/support/modern.ts";
import { testUnless } from "../support/test_unless.ts";

const confirm = { message: "Buy it?", schema: z.object({ sure: z.boolean() }) };
const PAGE = "https://shop.example.com/pay?order=7";

/** Asks for a confirmation, and returns it. */
const buying = (name: string, policy: JobPolicy = {}) =>
  defineJob({ name, input: z.object({}), attempts: 1, ...policy, run: (_, ctx) => ctx.elicit(confirm) });

const buy = buying("buy");
const buyAlone = buying("buy_alone");
const buyLater = buying("buy_later", { whenNobodyCanAnswer: "wait" });
const pay = defineJob({
  name: "pay",
  input: z.object({}),
  attempts: 1,
  run: (_, ctx) => ctx.elicit({ message: "Pay for it.", url: PAGE }),
});
const byPolling = buying("by_polling");
const byAction = buying("by_action");
const byCall = buying("by_call");
const pack = buying("pack", { whenNobodyCanAnswer: "cancel" });
const hurry = defineJob({
  name: "hurry",
  input: z.object({}),
  attempts: 1,
  run: (_, ctx) => ctx.elicit({ ...confirm, expiresIn: 300 }),
});
const both = defineJob({
  name: "both",
  input: z.object({}),
  attempts: 1,
  run: async (_, ctx) => ({ said: await ctx.elicit.all([confirm, { ...confirm, message: "Wrap it?" }]) }),
});
const twice = defineJob({
  name: "twice",
  input: z.object({}),
  attempts: 1,
  run: async (_, ctx) => ({ said: [await ctx.elicit(confirm), await ctx.elicit({ ...confirm, message: "Wrap it?" })] }),
});
const payFirst = defineJob({
  name: "pay_first",
  input: z.object({}),
  attempts: 1,
  run: async (_, ctx) => ({
    said: [await ctx.elicit({ message: "Pay for it.", url: PAGE }), await ctx.elicit(confirm)],
  }),
});

/** The fields of a result. */
// deno-lint-ignore no-explicit-any
type Fields = Record<string, any>;

/** A client, what it was asked, and which pages it heard to be complete. */
interface Connected {
  readonly client: Client;
  readonly asked: ElicitRequest["params"][];
  readonly complete: string[];
  tools(): Promise<readonly string[]>;
  call(name: string, args?: Fields): Promise<Fields>;
}

/** A server and a worker on a backend, and its clients. */
class Stage implements AsyncDisposable {
  readonly audit: AuditEvent[] = [];
  readonly server: AsyncToolServer;
  readonly #worker: Worker;
  readonly #clients: Client[] = [];

  constructor(backend: Backend) {
    this.server = new AsyncToolServer({
      name: "shop",
      version: "1.0.0",
      backend,
      authenticate: ({ headers }) => ({ principal: headers.get("authorization")?.replace("Bearer ", "") ?? "" }),
      audit: (event) => void this.audit.push(event),
    });
    this.server.registerAsyncTool(buy, { answers: "model" });
    const plain = new OperationResourceStrategy();
    for (const job of [buyAlone, buyLater, pay, hurry, both]) this.server.registerAsyncTool(job);
    this.server.registerAsyncTool(byPolling, { answers: "model", strategy: new PollingExposureStrategy() });
    this.server.registerAsyncTool(byAction, { answers: "model", strategy: new SingleToolExposureStrategy() });
    this.server.registerAsyncTool(byCall, { answers: "model", strategy: plain });
    for (const job of [twice, payFirst]) this.server.registerAsyncTool(job, { answers: "model", strategy: plain });
    this.server.registerAsyncTool(buyLater, { name: "buy_and_wait", strategy: plain });
    this.server.registerAsyncTool(pack, { strategy: plain });
    this.server.registerAsyncTool(pay, { name: "pay_as_task", strategy: plain });
    this.#worker = createWorker(backend, [
      buy,
      buyAlone,
      buyLater,
      pay,
      hurry,
      both,
      pack,
      byPolling,
      byAction,
      byCall,
      twice,
      payFirst,
    ]);
  }

  async connect(
    principal: string,
    elicitation?: ClientCapabilities["elicitation"],
    answer: (params: ElicitRequest["params"]) => ElicitResult | Promise<ElicitResult> = () => ({
      action: "accept",
      content: { sure: true },
    }),
  ): Promise<Connected> {
    const capabilities = elicitation === undefined ? {} : { elicitation };
    const client = new Client({ name: "interop", version: "1.0.0" }, { capabilities });
    const asked: ElicitRequest["params"][] = [];
    const complete: string[] = [];
    if (elicitation !== undefined) {
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
        asked.push(params);
        return answer(params);
      });
    }
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) => {
      complete.push(params.elicitationId);
    });
    await client.connect(
      new StreamableHTTPClientTransport(new URL("http://localhost/mcp"), {
        fetch: (url, init) => {
          const headers = new Headers(init?.headers);
          headers.set("host", "localhost");
          headers.set("authorization", `Bearer ${principal}`);
          return this.server.fetch(new Request(url, { ...init, headers }));
        },
      }),
    );
    this.#clients.push(client);
    return {
      client,
      asked,
      complete,
      tools: async () => (await client.listTools()).tools.map(({ name }) => name),
      call: async (name, args = {}) => await client.callTool({ name, arguments: args }),
    };
  }

  /** Calls a tool as a client of 2026-07-28 that can do no more than these capabilities say. */
  async callModern(
    principal: string,
    name: string,
    args: Fields,
    capabilities: Fields,
    more: Fields = {},
  ): Promise<Fields> {
    const params = { name, arguments: args, ...more };
    const call = request(new URL("http://localhost/mcp"), "tools/call", params, capabilities);
    call.headers.set("authorization", `Bearer ${principal}`);
    await using events = new Events(await this.server.fetch(call));
    const { result } = await events.next(({ result, error }) => result !== undefined || error !== undefined);
    return result ?? {};
  }

  /** The events of answers. */
  get answers() {
    return this.audit.filter(({ operation }) => operation === "answer").map(
      ({ event, principal, job, action, answeredBy }) =>
        [event, principal, job, action, answeredBy].filter((field) => field !== undefined).join(" "),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#worker.close(0);
    await this.server.close();
  }
}

/** Runs a test on KV and on Redis. */
function onBoth(name: string, run: (stage: Stage) => Promise<void>): void {
  Deno.test(`KV: ${name}`, async () => {
    const folder = await Deno.makeTempDir();
    await using opened = new AsyncDisposableStack();
    opened.defer(() => Deno.remove(folder, { recursive: true }));
    await run(opened.use(new Stage(await DenoKvBackend.open({ path: `${folder}/jobs.kv` }))));
  });
  testUnless(noRedis, `Redis: ${name}`, async () => {
    await using redis = await openRedis();
    const backend = await BullMqBackend.connect({ redis: redis.url, prefix: `test-${crypto.randomUUID()}` });
    await using stage = new Stage(backend);
    await run(stage);
  });
}

onBoth(
  "a model that may answer asks in the chat, and passes the answer on; only the first one counts",
  async (stage) => {
    const ann = await stage.connect("ann");
    assertEquals((await ann.tools()).includes("task_answer"), true);
    const { token, status, questions, message, next } = (await ann.call("buy")).structuredContent;
    assertEquals([status, questions.length, questions[0].message], ["INPUT_REQUIRED", 1, "Buy it?"]);
    assertEquals(Object.keys(questions[0].schema.properties), ["sure"]);
    const asks = 'Waits for the answer to "Buy it?". Ask the person, and pass their answer to task_answer';
    assertEquals(message, `${asks}, with the token ${token} and the question ${questions[0].key}.`);
    assertStringIncludes(next, "call task_answer with this token, the key of the question and their answer");
    const question = questions[0].key;
    // It does not wait: nothing will happen before the model has answered.
    const seen = (await ann.call("task_status", { token, wait_seconds: 3_600 })).structuredContent;
    assertEquals([seen.status, seen.questions], ["INPUT_REQUIRED", questions]);

    const unfit = await ann.call("task_answer", { token, question, answer: { sure: "maybe" } });
    assertEquals([unfit.isError, unfit.content[0].text.includes("sure: must be boolean")], [true, true]);
    const stray = await ann.call("task_answer", { token, question: "question-0", answer: { sure: true } });
    assertMatch(stray.structuredContent.error, /^This answer was ignored: the task asks no such question/);
    const bob = await stage.connect("bob"); // They cannot even read the task: the audit log has refused reads.
    const foreign = await bob.call("task_answer", { token, question, answer: { sure: true } });
    const unknown = await bob.call("task_answer", { token: token.replace(/....$/, "0000"), question, answer: {} });
    const blank = (text: string) => text.replace(/"[0-9a-f-]{36}"/, "it");
    assertEquals([foreign.isError, blank(foreign.content[0].text)], [true, blank(unknown.content[0].text)]);

    const given = await ann.call("task_answer", { token, question, answer: { sure: true } });
    assertEquals([given.isError, given.structuredContent.error], [undefined, undefined]);
    const again = await ann.call("task_answer", { token, question, answer: { sure: false } });
    assertEquals([again.isError, /was ignored/.test(again.structuredContent.error)], [true, true]);
    const end = (await ann.call("task_status", { token })).structuredContent;
    assertEquals([end.status, end.result], ["COMPLETED", { action: "accept", content: { sure: true } }]);
    assertEquals(stage.answers, [
      "refused ann",
      "refused ann buy",
      "answered ann buy accept model",
      "refused ann buy",
    ]);
  },
);

onBoth("a person's refusal counts as one, whatever answer a model sends beside it", async (stage) => {
  const ann = await stage.connect("ann");
  for (const action of ["decline", "cancel"]) {
    const { token, questions: [{ key: question }] } = (await ann.call("buy")).structuredContent;
    const given = await ann.call("task_answer", { token, question, action, answer: { sure: true } });
    assertEquals([given.isError, given.structuredContent.error], [undefined, undefined]);
    const end = (await ann.call("task_status", { token, wait_seconds: 5 })).structuredContent;
    assertEquals([end.status, end.result], ["COMPLETED", { action }]);
  }
  assertEquals(stage.answers, ["answered ann buy decline model", "answered ann buy cancel model"]);
});

onBoth("a model can answer whatever the strategy of the job is, and is told how it gets the result", async (stage) => {
  const ann = await stage.connect("ann");
  const answer = { sure: true };
  const value = { action: "accept", content: answer };
  /** Reads a task with a tool until it asks, or has ended. */
  const read = async (tool: string, token: string, more: Fields = {}): Promise<Fields> => {
    for (;;) {
      const { structuredContent } = await ann.call(tool, { token, wait_seconds: 5, ...more });
      if (!["PENDING", "RUNNING"].includes(structuredContent.status)) return structuredContent;
    }
  };
  for (
    const [start, input, check, more] of [
      ["by_polling_start", {}, "by_polling_status", {}],
      ["by_action", { action: "start" }, "by_action", { action: "check" }],
    ] as const
  ) {
    const { token } = (await ann.call(start, input)).structuredContent;
    const { message, questions: [{ key: question }] } = await read(check, token, more);
    const how =
      `Ask the person, and pass their answer to task_answer, with the token ${token} and the question ${question}.`;
    assertEquals(message, `Waits for the answer to "Buy it?". ${how}`);
    const { structuredContent } = await ann.call("task_answer", { token, question, answer });
    if (structuredContent.status !== "COMPLETED") assertStringIncludes(structuredContent.next, `Call ${check} with `);
    assertEquals((await read(check, token, more)).result, value);
  }
  const handle = (await ann.call("by_call")).structuredContent;
  const { token, questions: [{ key: question }] } = handle;
  assertStringIncludes(handle.next, `Then read the resource mcp://results/by_call/${token}.`);
  assertEquals((await ann.call("task_answer", { token, question, answer })).structuredContent.result, value);
  const ways = ["by_polling", "by_action", "by_call"].map((job) => `answered ann ${job} accept model`);
  assertEquals(stage.answers, ways);
});

onBoth("the next question of a job is left to the model that has answered the one before", async (stage) => {
  const ann = await stage.connect("ann");
  const { token, questions: [first] } = (await ann.call("twice")).structuredContent;
  const answer = (question: string, sure: boolean) => ann.call("task_answer", { token, question, answer: { sure } });
  const { status, questions: [second] } = (await answer(first.key, true)).structuredContent;
  assertEquals([status, second.message], ["INPUT_REQUIRED", "Wrap it?"]);
  const { result } = (await answer(second.key, false)).structuredContent;
  assertEquals(result.said.map(({ content }: Fields) => content), [{ sure: true }, { sure: false }]);
  assertEquals(stage.answers, Array(2).fill("answered ann twice accept model"));
});

onBoth(
  "an answer of a model is not asked for again if the job's next question is one that the client can ask",
  async (stage) => {
    const ask = (args: Fields, capabilities: Fields) => stage.callModern("ann", "task_answer", args, capabilities);
    const forms = { elicitation: {} };
    const { token, questions: [page] } = (await stage.callModern("ann", "pay_first", {}, forms)).structuredContent;
    const { resultType, structuredContent } = await ask({ token, question: page.key }, forms);
    assertEquals([resultType, structuredContent?.status], ["complete", "INPUT_REQUIRED"]);
    assertEquals(
      structuredContent.message,
      'Waits for the answer to "Buy it?". The person who uses this client can answer.',
    );
    // It waits for an answer, such as that of another client.
    const { questions: [form] } = (await ask({ token, question: page.key }, {})).structuredContent;
    const end = (await ask({ token, question: form.key, answer: { sure: true } }, {})).structuredContent;
    assertEquals(end.result, {
      said: [{ action: "accept", content: {} }, { action: "accept", content: { sure: true } }],
    });
  },
);

onBoth("a call that reads a task asks the person once, and goes on with their answer", async (stage) => {
  const ann = await stage.connect("ann");
  for (
    const [start, input, check, more] of [
      ["buy_later", {}, "task_status", {}],
      ["by_polling_start", {}, "by_polling_status", {}],
      ["by_action", { action: "start" }, "by_action", { action: "check" }],
    ] as const
  ) {
    const { token } = (await ann.call(start, input)).structuredContent;
    const read = (round: Fields = {}) =>
      stage.callModern("ann", check, { token, wait_seconds: 5, ...more }, { elicitation: {} }, round);
    let asked = await read();
    while (asked.resultType !== "input_required") asked = await read();
    const [key = ""] = Object.keys(asked.inputRequests);
    const { requestState } = asked;
    const answered = { requestState, inputResponses: { [key]: { action: "accept", content: { sure: true } } } };
    assertEquals([check, (await read(answered)).resultType], [check, "complete"]);
  }
});

onBoth(
  "for a client with native tasks that cannot be asked, the status of a task says how its model answers",
  async (stage) => {
    const ann = await stage.connect("ann");
    const params = { name: "by_call", arguments: {}, task: { ttl: 60_000 } };
    const { task: { taskId } } = await ann.client.request({ method: "tools/call", params }, CreateTaskResultSchema);
    let message: string | undefined;
    while (!message?.startsWith("Waits for the answer")) {
      message = (await ann.client.experimental.tasks.getTask(taskId)).statusMessage;
    }
    const [, question] = /task_answer, with the token \S+ and the question (\S+)\.$/.exec(message) ?? [];
    const end = (await ann.call("task_answer", { token: taskId, question, answer: { sure: true } })).structuredContent;
    assertEquals(end.result, { action: "accept", content: { sure: true } });
  },
);

onBoth("without leave no model can answer, and a client that asks its person gets no such tool", async (stage) => {
  const ann = await stage.connect("ann");
  const { token, questions } = (await ann.call("buy_later")).structuredContent;
  assertEquals(questions, undefined);
  const refused = await ann.call("task_answer", { token, question: "question-1", answer: { sure: true } });
  assertEquals([refused.isError, refused.structuredContent.error], [
    true,
    "Only a person may answer what buy_later asks.",
  ]);
  const own = await stage.connect("ann", {});
  assertEquals((await own.tools()).includes("task_answer"), false);
  const model = (await ann.call("buy")).structuredContent;
  const question = model.questions[0].key;
  const meddling = await own.call("task_answer", { token: model.token, question, answer: { sure: true } });
  assertEquals(meddling.structuredContent.error, "This answer was ignored: the client itself asks the person.");
});

onBoth(
  "a question of a plain call is cancelled if its client cannot ask, and waits if the job says so",
  async (stage) => {
    const ann = await stage.connect("ann");
    assertEquals((await ann.call("buy_alone")).structuredContent, { action: "cancel", answeredBy: "nobody" });
    const { token, status, message } = (await ann.call("buy_later")).structuredContent;
    assertEquals([status, message], [
      "INPUT_REQUIRED",
      'Waits for the answer to "Buy it?". This client cannot be asked: answer in another one, or cancel the task.',
    ]);
    const other = await stage.connect("ann", {});
    const end = (await other.call("task_status", { token })).structuredContent;
    assertEquals(other.asked.map(({ message }) => message), ["Buy it?"]);
    const result = { action: "accept", content: { sure: true } };
    assertEquals(end.status === "RUNNING" ? result : end.result, result);
    assertEquals((await ann.call("task_status", { token })).structuredContent.result, result);
    assertEquals(stage.answers, ["answered ann buy_alone cancel nobody", "answered ann buy_later accept person"]);
  },
);

onBoth(
  "a client that opens pages is asked to, and notified when the job is done; another one cannot be asked",
  async (stage) => {
    const ann = await stage.connect("ann", { form: {}, url: {} }, () => ({ action: "accept" }));
    assertEquals((await ann.call("pay")).structuredContent, { action: "accept", content: {} });
    const [page] = ann.asked;
    assertEquals(page, { ...page, mode: "url", message: "Pay for it.", url: PAGE } as typeof page);
    assertEquals(ann.complete, page && "elicitationId" in page ? [page.elicitationId] : []);
    const refuses = await stage.connect("ann", { url: {} }, () => ({ action: "decline" }));
    assertEquals((await refuses.call("pay")).structuredContent, { action: "decline" });
    assertEquals([refuses.asked.length, refuses.complete], [1, []]);
    for (const elicitation of [undefined, {}, { form: {} }]) {
      const cannot = await stage.connect("ann", elicitation);
      assertEquals([(await cannot.call("pay")).structuredContent, cannot.asked], [{
        action: "cancel",
        answeredBy: "nobody",
      }, []]);
    }
  },
);

onBoth(
  "questions that are asked together reach a person together, and one without an answer in time is expired",
  async (stage) => {
    // Each is answered only once both are shown.
    const shown = Promise.withResolvers<void>();
    let open = 0;
    const ann = await stage.connect("ann", {}, async () => {
      if (++open === 2) shown.resolve();
      await shown.promise;
      return { action: "accept", content: { sure: true } };
    });
    const { said } = (await ann.call("both")).structuredContent;
    assertEquals([said.length, ann.asked.map(({ message }) => message)], [2, ["Buy it?", "Wrap it?"]]);
    const silent = await stage.connect("ann", {}, () => new Promise<never>(() => {}));
    assertEquals((await silent.call("hurry")).structuredContent, { action: "expired" });
  },
);

onBoth(
  "a call that waits for an answer gets its result once another client of the same owner has given it",
  async (stage) => {
    const ann = await stage.connect("ann");
    const waiting = ann.call("buy_and_wait");
    const other = await stage.connect("ann", {});
    const open = async () => {
      const { tasks } = (await other.call("task_list")).structuredContent;
      return tasks.find(({ status }: Fields) => status === "INPUT_REQUIRED")?.token;
    };
    let token = await open();
    while (token === undefined) token = await open();
    await other.call("task_status", { token });
    assertEquals((await waiting).structuredContent, { action: "accept", content: { sure: true } });
    assertEquals(other.asked.length, 1);
  },
);

onBoth("a client is notified of a page that a task has asked for, after its requests have ended", async (stage) => {
  const ann = await stage.connect("ann", { url: {} }, () => ({ action: "accept" }));
  const { promise: completed, resolve } = Promise.withResolvers<string>();
  ann.client.setNotificationHandler(
    ElicitationCompleteNotificationSchema,
    ({ params }) => resolve(params.elicitationId),
  );
  const { task: { taskId } } = await ann.client.request(
    { method: "tools/call", params: { name: "pay_as_task", arguments: {}, task: {} } },
    CreateTaskResultSchema,
  );
  while ((await ann.client.experimental.tasks.getTask(taskId)).status !== "completed");
  const [page] = ann.asked;
  assertEquals(page && "elicitationId" in page && page.elicitationId, await completed);
});

onBoth("a task's question is cancelled if the job says so and its client cannot ask", async (stage) => {
  const ann = await stage.connect("ann");
  const started = await ann.client.request(
    { method: "tools/call", params: { name: "pack", arguments: {}, task: {} } },
    CreateTaskResultSchema,
  );
  const { taskId } = started.task;
  const get = () => ann.client.experimental.tasks.getTask(taskId);
  while ((await get()).status !== "completed");
  assertEquals(stage.answers, ["answered ann pack cancel nobody"]);
});
