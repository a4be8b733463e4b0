import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  BlockingExposureStrategy,
  defineJob,
  DefinitionError,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
} from "../../../mod.ts";
import { type LiveTask, nextWith, type Question, ToolRegistry } from "../../../strategy.ts";
import { type Asking, describeQuestions } from "../../../src/exposure/answers/asking.ts";
import { assertEquals, assertRejects, assertStringIncludes, assertThrows } from "../../../tools/std.ts";

const LIVE: LiveTask = {
  id: "id-1",
  job: "buy",
  owner: "me",
  status: "INPUT_REQUIRED",
  revision: 3,
  attempt: 1,
  message: "loading",
  createdAt: 1,
  updatedAt: 2,
  resultTtl: 60_000,
};
const FORM: Question = { key: "q1", message: "Sure?", schema: { type: "object" } };
const PAGE: Question = { ...FORM, key: "q2", message: "Pay.", url: "https://example.com/pay" };

function messageOf(questions: readonly Question[], client = {}): string | undefined {
  return describeQuestions({ ...LIVE, questions }, { elicitation: false, ...client }).message;
}

Deno.test("the message of a task that asks says what, until when, and by whom it can be answered", () => {
  assertEquals(
    messageOf([{ ...FORM, expiresAt: 1_800_000_000_000 }], { elicitation: true }),
    'Waits for the answer to "Sure?" until 2027-01-15T08:00:00.000Z. The person who uses this client can answer.',
  );
  assertEquals(
    messageOf([FORM, PAGE], { elicitation: true }),
    'Waits for the answer to "Sure?" and "Pay." (open https://example.com/pay). This client cannot ask for a page to be ' +
      "opened: answer in another one, or cancel the task.",
  );
  assertStringIncludes(
    messageOf([FORM, PAGE], { elicitation: true, urls: true }) ?? "",
    "The person who uses this client",
  );
  assertStringIncludes(messageOf([PAGE], { urls: true }) ?? "", "The person who uses this client");
  assertStringIncludes(messageOf([FORM], { tool: "task_answer" }) ?? "", "pass their answer to task_answer");
  assertStringIncludes(
    messageOf([FORM, PAGE], { urls: true }) ?? "",
    "This client cannot ask for a form to be filled in",
  );
  assertStringIncludes(messageOf([FORM]) ?? "", "This client cannot be asked: answer in another one");
});

Deno.test("the message of a question that is cancelled does not say that somebody else may answer", () => {
  assertEquals(
    messageOf([FORM], { cancels: true }),
    'Waits for the answer to "Sure?". This client cannot be asked: the job goes on without that answer.',
  );
  assertEquals(
    messageOf([FORM, PAGE], { elicitation: true, cancels: true }),
    'Waits for the answer to "Sure?" and "Pay." (open https://example.com/pay). This client cannot ask for a page to be ' +
      "opened: the job goes on without that answer.",
  );
  assertStringIncludes(
    messageOf([FORM], { elicitation: true, cancels: true }) ?? "",
    "The person who uses this client",
  );
});

Deno.test("what to do next about a question that is cancelled is to wait, not to tell the person", () => {
  const nextOf = (questions: readonly Question[], client = {}) =>
    nextWith({ ...LIVE, questions }, "look again", { elicitation: false, ...client });
  assertEquals(
    nextOf([FORM], { cancels: true }),
    "Look again; it returns the result once the job has ended.",
  );
  assertEquals(
    nextOf([FORM, PAGE], { urls: true, cancels: true }),
    "Tell the person what the task asks, then look again.",
  );
});

Deno.test("a model reads a task whose questions are cancelled at once, however late they expire", () => {
  const task = { ...LIVE, questions: [FORM], dueAt: Date.now() + 86_400_000 };
  assertEquals(
    nextWith(task, "look again", { elicitation: false, cancels: true }),
    "Look again; it returns the result once the job has ended.",
  );
});

Deno.test("a model reads a question again at once if that asks its person, and else when they say that it is answered", () => {
  const nextOf = (asking?: Asking) => nextWith({ ...LIVE, questions: [FORM] }, "look again", asking);
  assertEquals(nextOf({ elicitation: true }), "Tell the person what the task asks, then look again.");
  const elsewhere = "Tell the person what the task asks. When they say that it is answered, look again.";
  assertEquals([nextOf({ elicitation: false }), nextOf()], [elsewhere, elsewhere]);
});

Deno.test("a model reads a task that waits for a distant time after that, and one that starts soon at once", () => {
  const nextOf = (dueAt: number) => nextWith({ ...LIVE, status: "PENDING", dueAt }, "look again");
  const dueAt = Date.now() + 3_600_000;
  const end = "it returns the result once the job has ended.";
  const until = new Date(dueAt).toISOString();
  assertEquals(nextOf(dueAt), `Tell the person that nothing happens before ${until}. After that, look again; ${end}`);
  assertEquals([nextOf(Date.now() + 10_000), nextOf(1)], [`Look again; ${end}`, `Look again; ${end}`]);
});

Deno.test("the message has each URL whole, and says how many questions it leaves out", () => {
  const url = `https://example.com/${"x".repeat(1_000)}`;
  const message = messageOf([{ ...PAGE, url }, PAGE, FORM]);
  assertEquals([message?.includes(`(open ${url})`), message?.includes(" and 2 more.")], [true, true]);
});

Deno.test("a task that does not ask, or is to stop, keeps its message", () => {
  assertEquals(messageOf([]), "loading");
  assertEquals(describeQuestions({ ...LIVE, status: "PENDING", questions: [FORM] }).message, "loading");
  assertEquals(describeQuestions({ ...LIVE, stopRequested: true, questions: [FORM] }).message, "loading");
});

const buy = defineJob({ name: "buy", input: { type: "object" } });

Deno.test("all registrations of a job must agree on who answers, because a task only knows its job", () => {
  const registry = new ToolRegistry();
  registry.register(buy, { answers: "model" });
  assertThrows(() => registry.register(buy, { name: "again" }), DefinitionError, "with `answers: person`: buy has");
  const other = { name: "again", answers: "model", whenNobodyCanAnswer: "wait" } as const;
  assertThrows(() => registry.register(buy, other), DefinitionError, "with `whenNobodyCanAnswer: wait`");
});

Deno.test("a server does not start if a model may answer and no client comes to know the task", async () => {
  const others = [
    AdaptiveExposureStrategy,
    PollingExposureStrategy,
    SingleToolExposureStrategy,
    OperationResourceStrategy,
  ];
  for (const Strategy of [BlockingExposureStrategy, ...others]) {
    const strategy = new Strategy();
    const server = new AsyncToolServer({ name: "t", version: "1.0.0", backend: new MemoryBackend(), strategy });
    server.registerAsyncTool(buy, { answers: "model" });
    const answer = () => server.fetch(new Request("http://localhost/healthz", { headers: { host: "localhost" } }));
    if (Strategy !== BlockingExposureStrategy) assertEquals((await answer()).status, 200);
    else await assertRejects(answer, DefinitionError, "does not learn of the task while a call waits for it");
    await server.close();
  }
});
