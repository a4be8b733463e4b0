/**
 * The rounds of a plain call of revision 2026-07-28: it is answered with questions, and the client calls again with the
 * answers (Multi Round-Trip Requests). One call of a person is one task, however many rounds it takes.
 *
 * @module
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";
import {
  AsyncToolServer,
  createWorker,
  defineJob,
  type Limits,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../mod.ts";
import { assertEquals } from "../../tools/std.ts";
import { Events, request } from "./modern.ts";
import type { Fields, Message } from "./pipe.ts";

const URL_OF_IT = new URL("http://localhost/mcp");
const FORMS = { elicitation: {} };
const NAME = z.object({ name: z.string().min(3) });

/** Is told a name before it begins, and asks for a colour while it runs. */
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

/** A server with a worker, called without a network. */
class Stage implements AsyncDisposable {
  readonly backend = new MemoryBackend();
  readonly server: AsyncToolServer;
  readonly #worker = createWorker(this.backend, [welcome, pair]);

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
  }

  /** One round of a call: its result, or its error. */
  async round(name: string, more: Fields = {}, capabilities: Fields = FORMS): Promise<Message> {
    const params = { name, arguments: {}, ...more };
    const response = await this.server.fetch(request(URL_OF_IT, "tools/call", params, capabilities));
    await using events = new Events(response);
    return await events.next(({ result, error }) => result !== undefined || error !== undefined);
  }

  /** One round that is answered with a result. */
  async answered(name: string, more?: Fields, capabilities?: Fields): Promise<Fields> {
    const { result, error } = await this.round(name, more, capabilities);
    if (result === undefined) throw new Error(`${name} failed: ${JSON.stringify(error)}`);
    return result;
  }

  /** One call by the official client, whose person gives these answers one after the other. */
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

  /** Where all tasks stand. */
  async statuses(): Promise<readonly string[]> {
    return (await this.backend.list("anonymous", { limit: 100 })).tasks.map(({ status }) => status);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

const accept = (content: Fields) => ({ action: "accept", content });

/** The question that a round is answered with. */
const asked = ({ inputRequests = {} }: Fields) =>
  Object.entries(inputRequests as Fields).map(([key, { params }]) => `${key}: ${params.message}`);

Deno.test("a call that is asked before and after its task begins is one task, and ends", async () => {
  await using stage = new Stage();
  assertEquals(asked(await stage.answered("welcome")), ["name: What is your name?"]);
  const begun = await stage.answered("welcome", { inputResponses: { name: accept({ name: "Ada" }) } });
  assertEquals(asked(begun), ["question-1: Which colour?"]);
  const { requestState } = begun;
  const done = await stage.answered("welcome", {
    requestState,
    inputResponses: { "question-1": accept({ colour: "red" }) },
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

Deno.test("a call that goes on begins no other task, whatever the client declares by then", async () => {
  await using stage = new Stage();
  const { requestState } = await stage.answered("pair");
  const tasks = { ...FORMS, extensions: { "io.modelcontextprotocol/tasks": {} } };
  const inputResponses = { "question-1": accept({ name: "Ada" }), "question-2": accept({ name: "Eve" }) };
  const next = await stage.answered("pair", { requestState, inputResponses }, tasks);
  assertEquals(next.resultType === "task", false);
  assertEquals((await stage.statuses()).length, 1);
});
