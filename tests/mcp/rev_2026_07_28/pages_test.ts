/**
 * 2026-07-28: a job asks a person to open a page, in rounds of a plain call and in a task; and what becomes of questions
 * that a client of that revision cannot ask.
 *
 * @module
 */
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { z } from "zod";
import {
  AsyncToolServer,
  type AuditEvent,
  createWorker,
  defineJob,
  MemoryBackend,
  OperationResourceStrategy,
} from "../../../mod.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { Events, request } from "../support/modern.ts";
import type { Fields } from "../support/wire_message.ts";

const PAGE = "https://shop.example.com/pay?order=7";
const ENDPOINT = new URL("http://localhost/mcp");
const TASKS = { extensions: { "io.modelcontextprotocol/tasks": {} } };
const PAGES = { elicitation: { url: {} } };

const pay = defineJob({
  name: "pay",
  input: z.object({}),
  run: (_, ctx) => ctx.elicit({ message: "Pay for it.", url: PAGE }),
});
const ask = defineJob({
  name: "ask",
  input: z.object({}),
  whenNobodyCanAnswer: "cancel",
  run: (_, ctx) => ctx.elicit({ message: "Sure?", schema: z.object({ sure: z.boolean() }) }),
});

class Stage implements AsyncDisposable {
  readonly audit: AuditEvent[] = [];
  readonly #backend = new MemoryBackend();
  readonly #worker = createWorker(this.#backend, [pay, ask]);
  readonly server = new AsyncToolServer({
    name: "pages",
    version: "1.0.0",
    backend: this.#backend,
    strategy: new OperationResourceStrategy(),
    audit: (event) => void this.audit.push(event),
  });

  constructor() {
    for (const job of [pay, ask]) this.server.registerAsyncTool(job);
  }

  async result(method: string, params: Fields, capabilities: Fields): Promise<Fields> {
    await using events = new Events(await this.server.fetch(request(ENDPOINT, method, params, capabilities)));
    const { result } = await events.next(({ result, error }) => result !== undefined || error !== undefined);
    assert(result);
    return result;
  }

  /** A task of a client with these capabilities, once `look` is true of it. */
  async task(name: string, capabilities: Fields, matches: (task: Fields) => boolean): Promise<Fields> {
    const { taskId } = await this.result("tools/call", { name, arguments: {} }, capabilities);
    let task = await this.result("tasks/get", { taskId }, capabilities);
    while (!matches(task)) task = await this.result("tasks/get", { taskId }, capabilities);
    return task;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.close(0);
    await this.server.close();
  }
}

const isAsking = ({ status }: Fields) => status === "input_required";

Deno.test("2026-07-28: a page is a question of a round, without an id, and no notification follows", async () => {
  await using stage = new Stage();
  const call = { name: "pay", arguments: {} };
  const { resultType, inputRequests, requestState } = await stage.result("tools/call", call, PAGES);
  const [key] = Object.keys(inputRequests);
  assert(key);
  assertEquals([resultType, inputRequests[key]], ["input_required", {
    method: "elicitation/create",
    params: { mode: "url", message: "Pay for it.", url: PAGE },
  }]);
  const inputResponses = { [key]: { action: "accept" } };
  const done = await stage.result("tools/call", { ...call, requestState, inputResponses }, PAGES);
  assertEquals(done.structuredContent, { action: "accept", content: {} });
});

Deno.test("2026-07-28: a page is among the input requests of a task only for a client that opens pages", async () => {
  await using stage = new Stage();
  const { taskId, inputRequests } = await stage.task("pay", { ...PAGES, ...TASKS }, isAsking);
  const [key] = Object.keys(inputRequests);
  assert(key);
  const form = await stage.result("tasks/get", { taskId }, { elicitation: {}, ...TASKS });
  assertEquals([form.inputRequests, form.statusMessage], [
    {},
    `Waits for the answer to "Pay for it." (open ${PAGE}). This client cannot ask for a page to be opened: answer in ` +
    "another one, or cancel the task.",
  ]);
  const inputResponses = { [key]: { action: "decline" } };
  await stage.result("tasks/update", { taskId, inputResponses }, { ...PAGES, ...TASKS });
  let end = await stage.result("tasks/get", { taskId }, TASKS);
  while (end.status !== "completed") end = await stage.result("tasks/get", { taskId }, TASKS);
  assertEquals(end.result.structuredContent, { action: "decline" });

  // A second answer is acknowledged, as the extension demands, but ignored; the audit log has it.
  await stage.result("tasks/update", { taskId, inputResponses: { [key]: { action: "accept" } } }, TASKS);
  const events = stage.audit.filter(({ operation }) => operation === "answer");
  assertEquals(events.map(({ event, question, action, answeredBy }) => [event, question, action, answeredBy]), [
    ["answered", key, "decline", "person"],
    ["refused", undefined, undefined, undefined],
  ]);
  assertEquals(
    events[1]?.reason,
    "The answer was ignored: the question is not open, as it was answered before, or its time is over.",
  );
});

Deno.test("2026-07-28: a task's question is cancelled if its client cannot ask it and the job says so", async () => {
  await using stage = new Stage();
  const end = await stage.task("ask", TASKS, ({ status }) => status === "completed");
  assertEquals(end.result.structuredContent, { action: "cancel", answeredBy: "nobody" });
  const waits = await stage.task("ask", { elicitation: {}, ...TASKS }, isAsking);
  assertEquals(Object.keys(waits.inputRequests).length, 1);
});

Deno.test("2026-07-28: the official client asks its person to open a page, and calls again", async () => {
  await using stage = new Stage();
  const client = new Client({ name: "pages", version: "1.0.0" }, {
    capabilities: PAGES,
    versionNegotiation: { mode: { pin: "2026-07-28" } },
  });
  const asked: unknown[] = [];
  client.setRequestHandler("elicitation/create", ({ params }) => {
    asked.push(params.mode === "url" && params.url);
    return { action: "accept" };
  });
  await client.connect(
    new StreamableHTTPClientTransport(ENDPOINT, {
      fetch: (url, init) => {
        const headers = new Headers(init?.headers);
        headers.set("host", "localhost");
        return stage.server.fetch(new Request(url, { ...init, headers }));
      },
    }),
  );
  const { structuredContent } = await client.callTool({ name: "pay", arguments: {} });
  assertEquals([asked, structuredContent], [[PAGE], { action: "accept", content: {} }]);
  await client.close();
});
