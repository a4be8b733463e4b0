/**
 * The rounds of a plain call of revision 2026-07-28: it returns questions, and the client calls again with the
 * answers (Multi Round-Trip Requests). The call is one task, however many rounds it takes.
 *
 * @module
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";
import {
  AsyncToolServer,
  BackendError,
  createWorker,
  defineJob,
  type Limits,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../../mod.ts";
import { assertEquals, assertStringIncludes } from "../../../tools/std.ts";
import { Events, request } from "../support/modern.ts";
import type { Fields, Message } from "../support/wire_message.ts";

const URL_OF_IT = new URL("http://localhost/mcp");
const FORMS = { elicitation: {} };
const NAME = z.object({ name: z.string().min(3) });

/** Needs a name before it starts, and asks for a colour while it runs. */
const welcome = defineJob({
  name: "welcome",
  description: "Welcomes a guest",
  input: NAME,
  run: async ({ name }, ctx) => ({
    name,
    colour: await ctx.elicit({ message: "Which colour?", schema: z.object({ colour: z.string().min(3) }) }),
  }),
});

/** Asks two things at once. */
const pair = defineJob({
  name: "pair",
  input: z.object({}),
  run: async (_, ctx) => {
    const ask = (message: string) => ctx.elicit({ message, schema: NAME });
    const [one, other] = await Promise.all([ask("Who?"), ask("And who else?")]);
    return { one, other };
  },
});

/** Needs two fields before it starts. */
const meet = defineJob({
  name: "meet",
  input: z.object({ host: z.string().min(3), guest: z.string().min(3) }),
  run: ({ host, guest }) => ({ host, guest }),
});

/** The schema of its field stands elsewhere in the input's schema. */
const pointing = defineJob({
  name: "pointing",
  input: {
    type: "object",
    properties: { name: { $ref: "#/$defs/name" } },
    required: ["name"],
    $defs: { name: { type: "string", minLength: 3 } },
  },
  run: (input) => input,
});

/** The schema of its field refers to another field, which the question does not have. */
const comparing = defineJob({
  name: "comparing",
  input: {
    type: "object",
    properties: { name: { type: "string", not: { $ref: "#/properties/short" } }, short: { maxLength: 2 } },
    required: ["name"],
  },
  run: (input) => input,
});

/** A server with a worker, called without a network. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly server: AsyncToolServer;
  readonly #worker = createWorker(this.backend, [welcome, pair, meet, pointing, comparing]);

  constructor(limits: Limits = {}) {
    this.server = new AsyncToolServer({
      name: "rounds",
      version: "1.0.0",
      backend: this.backend,
      strategy: new OperationResourceStrategy(),
      audit: () => {},
      limits,
    });
    this.server.registerAsyncTool(welcome, { askFor: { name: "What is your name?" } }).registerAsyncTool(pair);
    this.server.registerAsyncTool(meet, { askFor: { host: "Who invites?", guest: "Who comes?" } });
    for (const job of [pointing, comparing]) this.server.registerAsyncTool(job, { askFor: { name: "Who?" } });
  }

  /** One round of a call: its result, or its error. */
  async round(name: string, more: Fields = {}, capabilities: Fields = FORMS): Promise<Message> {
    const params = { name, arguments: {}, ...more };
    const response = await this.server.fetch(request(URL_OF_IT, "tools/call", params, capabilities));
    await using events = new Events(response);
    return await events.next(({ result, error }) => result !== undefined || error !== undefined);
  }

  /** One round that returns a result. */
  async answered(name: string, more?: Fields, capabilities?: Fields): Promise<Fields> {
    const { result, error } = await this.round(name, more, capabilities);
    if (result === undefined) throw new Error(`${name} failed: ${JSON.stringify(error)}`);
    return result;
  }

  /** One call of the official client, with these answers of a person one after the other. */
  async callOfficially(name: string, answers: readonly Record<string, string>[]) {
    const transport = new StreamableHTTPClientTransport(URL_OF_IT, {
      fetch: (url, init) => {
        const headers = new Headers(init?.headers);
        headers.set("host", URL_OF_IT.host);
        return this.server.fetch(new Request(url, { ...init, headers }));
      },
    });
    const info = { name: "rounds", version: "1.0.0" };
    const client = new Client(info, { capabilities: FORMS, versionNegotiation: { mode: { pin: "2026-07-28" } } });
    const said: string[] = [];
    client.setRequestHandler("elicitation/create", ({ params }) => ({
      action: "accept",
      content: answers[said.push(params.message) - 1] ?? {},
    }));
    await client.connect(transport);
    const { structuredContent: result } = await client.callTool({ name, arguments: {} });
    await client.close();
    return { said, result };
  }

  /** The states of all tasks. */
  async statuses(): Promise<readonly string[]> {
    return (await this.backend.list("anonymous", { limit: 100 })).tasks.map(({ status }) => status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

const accept = (content: Fields) => ({ action: "accept", content });

/** The keys of the jobs' questions. */
const [COLOUR, ONE, OTHER] = ["question-21c2904441ae", "question-5452478ade48", "question-ac0c10b1bb04"];

/** The question that a round returns. */
const asked = ({ inputRequests = {} }: Fields) =>
  Object.entries(inputRequests as Fields).map(([key, { params }]) => `${key}: ${params.message}`);

Deno.test("a call that is asked before and after its task begins is one task, and ends", async () => {
  await using stage = new Stage();
  assertEquals(asked(await stage.answered("welcome")), ["name: What is your name?"]);
  const begun = await stage.answered("welcome", { inputResponses: { name: accept({ name: "Ada" }) } });
  assertEquals(asked(begun), [`${COLOUR}: Which colour?`]);
  const { requestState } = begun;
  const done = await stage.answered("welcome", {
    requestState,
    inputResponses: { [COLOUR]: accept({ colour: "red" }) },
  });
  assertEquals(done.structuredContent, { name: "Ada", colour: accept({ colour: "red" }) });
  assertEquals(await stage.statuses(), ["COMPLETED"]);
});

Deno.test("the official client goes through all rounds of a call", async () => {
  await using stage = new Stage();
  const answers: Record<string, string>[] = [{ name: "Ada" }, { colour: "red" }];
  const { said, result } = await stage.callOfficially("welcome", answers);
  assertEquals(said, ["What is your name?", "Which colour?"]);
  assertEquals(result, { name: "Ada", colour: accept({ colour: "red" }) });
  assertEquals(await stage.statuses(), ["COMPLETED"]);
});

Deno.test("a call that goes on starts no other task, whatever the client declares by then", async () => {
  await using stage = new Stage();
  const { requestState } = await stage.answered("pair");
  const tasks = { ...FORMS, extensions: { "io.modelcontextprotocol/tasks": {} } };
  const inputResponses = { [ONE]: accept({ name: "Ada" }), [OTHER]: accept({ name: "Eve" }) };
  const next = await stage.answered("pair", { requestState, inputResponses }, tasks);
  assertEquals(next.resultType === "task", false);
  assertEquals((await stage.statuses()).length, 1);
});

Deno.test("a question whose answer does not fit is asked again with the reason, and the task goes on after a good answer", async () => {
  await using stage = new Stage();
  const answers: Record<string, string>[] = [{ name: "Ada" }, { colour: "A" }, { colour: "red" }];
  const { said, result } = await stage.callOfficially("welcome", answers);
  const why = "The last answer did not fit: colour: must NOT have fewer than 3 characters.";
  assertEquals(said, ["What is your name?", "Which colour?", `Which colour?\n\n${why}`]);
  assertEquals(result, { name: "Ada", colour: accept({ colour: "red" }) });
  assertEquals(await stage.statuses(), ["COMPLETED"]);
});

Deno.test("of two answers the one that fits is kept, and only the other question is asked again", async () => {
  await using stage = new Stage();
  let round = await stage.answered("pair");
  const { requestState } = round;
  while (asked(round).length < 2) round = await stage.answered("pair", { requestState });
  const inputResponses = { [ONE]: accept({ name: "A" }), [OTHER]: accept({ name: "Eve" }) };
  const again = await stage.answered("pair", { requestState, inputResponses });
  assertEquals([again.requestState, Object.keys(again.inputRequests)], [requestState, [ONE]]);
  const done = await stage.answered("pair", { requestState, inputResponses: { [ONE]: { action: "decline" } } });
  assertEquals(done.structuredContent, { one: { action: "decline" }, other: accept({ name: "Eve" }) });
});

Deno.test("an answer that does not fit counts as no answer if the client can no longer be asked", async () => {
  await using stage = new Stage();
  const { requestState } = await stage.answered("welcome", { arguments: { name: "Ada" } });
  const inputResponses = { [COLOUR]: accept({ colour: "A" }) };
  const done = await stage.answered("welcome", { requestState, inputResponses }, {});
  assertEquals(done.structuredContent, { name: "Ada", colour: { action: "cancel", answeredBy: "nobody" } });
});

Deno.test("something that is not an answer is refused with -32602, and the question stays open", async () => {
  await using stage = new Stage();
  const { requestState } = await stage.answered("welcome", { arguments: { name: "Ada" } });
  const inputResponses = { [COLOUR]: { action: "whatever" } };
  const { error } = await stage.round("welcome", { requestState, inputResponses });
  assertEquals(error?.code, -32602);
  assertEquals(asked(await stage.answered("welcome", { requestState })), [`${COLOUR}: Which colour?`]);
});

Deno.test("a round that exceeds a limit is refused with a protocol error, so that the client sends it again", async () => {
  await using stage = new Stage({ readsPerMinute: 1 });
  const { requestState } = await stage.answered("welcome", { arguments: { name: "Ada" } });
  const inputResponses = { [COLOUR]: accept({ colour: "red" }) };
  const { error } = await stage.round("welcome", { requestState, inputResponses });
  assertEquals(error?.code, -32005);
});

Deno.test("a round during which the store fails is refused with a protocol error, so that the client sends it again", async () => {
  await using stage = new Stage();
  const { requestState } = await stage.answered("welcome", { arguments: { name: "Ada" } });
  const inputResponses = { [COLOUR]: accept({ colour: "red" }) };
  const read = stage.backend.get.bind(stage.backend);
  stage.backend.get = () => Promise.reject(new BackendError("The store is away."));
  const { error } = await stage.round("welcome", { requestState, inputResponses });
  assertEquals(error?.code, -32603);
  stage.backend.get = read;
  const { structuredContent } = await stage.answered("welcome", { requestState, inputResponses });
  assertEquals(structuredContent, { name: "Ada", colour: accept({ colour: "red" }) });
});

Deno.test("questions before there is a task are asked again with the reason, too, until every answer fits", async () => {
  await using stage = new Stage();
  const both = { host: accept({ host: "Ada" }), guest: accept({ guest: "E" }) };
  const why = "The last answer did not fit: guest: must NOT have fewer than 3 characters.";
  // There is no task yet that would keep an answer, and a client sends only those of its last round.
  assertEquals(asked(await stage.answered("meet", { inputResponses: both })), [
    "host: Who invites?",
    `guest: Who comes?\n\n${why}`,
  ]);
  assertEquals(asked(await stage.answered("meet", { inputResponses: { host: both.host } })), [
    "host: Who invites?",
    "guest: Who comes?",
  ]);
  assertEquals(await stage.statuses(), []);
  const done = await stage.answered("meet", { inputResponses: { ...both, guest: accept({ guest: "Eve" }) } });
  assertEquals(done.structuredContent, { host: "Ada", guest: "Eve" });
});

Deno.test("the answer for a field is checked against a schema that stands elsewhere in the input's schema", async () => {
  await using stage = new Stage();
  const call = (name: string) => stage.answered("pointing", { inputResponses: { name: accept({ name }) } });
  assertEquals((await call("Ada")).structuredContent, { name: "Ada" });
  const again = await call("A");
  assertStringIncludes(again.inputRequests.name.params.message, "The last answer did not fit: name: ");
  assertEquals(await stage.statuses(), ["COMPLETED"]);
});

Deno.test("the answer for a field whose schema refers to another field is checked with the input", async () => {
  await using stage = new Stage();
  const call = (name: string) => stage.answered("comparing", { inputResponses: { name: accept({ name }) } });
  assertEquals((await call("Ada")).structuredContent, { name: "Ada" });
  assertEquals([(await call("A")).isError, await stage.statuses()], [true, ["COMPLETED"]]);
});

Deno.test("a later round whose client gives up leaves its task to the next call with the same input", async () => {
  let runs = 0;
  const begun = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  const slow = defineJob({
    name: "slow",
    input: z.object({ guest: z.string() }),
    run: async (_, ctx) => {
      runs++;
      await ctx.elicit({ message: "Which colour?", schema: z.object({ colour: z.string().min(3) }) });
      begun.resolve();
      await opened.promise;
      return { runs };
    },
  });
  await using stage = new Stage();
  stage.server.registerAsyncTool(slow);
  await createWorker(stage.backend, [slow]).ready; // It stops with the backend.
  const input = { arguments: { guest: "Ada" } };
  const { requestState, inputRequests } = await stage.answered("slow", input);
  const answers = { [Object.keys(inputRequests as Fields)[0] ?? ""]: accept({ colour: "red" }) };
  const round = { name: "slow", ...input, requestState, inputResponses: answers };
  const response = await stage.server.fetch(request(URL_OF_IT, "tools/call", round, FORMS));
  await begun.promise;
  await response.body?.cancel();
  const again = stage.answered("slow", input);
  opened.resolve();
  assertEquals((await again).structuredContent, { runs: 1 });
});
