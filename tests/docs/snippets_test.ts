// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/streamableHttp"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Client as Modern, StreamableHTTPClientTransport as ModernTransport } from "@modelcontextprotocol/client";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { BothStrategy } from "../../docs/snippets/both_strategy.ts";
import { followLog } from "../../docs/snippets/follow_log.ts";
import { logEnds } from "../../docs/snippets/log_ends.ts";
import { bookCounter, countWords } from "../../docs/snippets/other_jobs.ts";
import { remind } from "../../docs/snippets/reminder.ts";
import { WaitingStrategy } from "../../docs/snippets/waiting_strategy.ts";
import { newTaskId } from "../../src/ids.ts";
import {
  AsyncToolServer,
  createClient,
  createWorker,
  defineJob,
  isFinished,
  MemoryBackend,
  type TaskInfo,
} from "../../mod.ts";
import { CallCancelled } from "../../strategy.ts";
import { freePort } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes, FakeTime } from "../../tools/std.ts";
import { pass } from "../support/time.ts";
import { Bench, call, endless, ME, PLAIN, report, toolOf } from "../exposure/support.ts";
import { TempFolder } from "../support/temp_folder.ts";

const pathOf = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** How a reader runs a file of the docs, with the permissions that they name. */
function run(file: string, ...flags: readonly string[]): string[] {
  const data = ["--allow-read=./data", "--allow-write=./data"];
  const project = ["--no-prompt", `--config=${pathOf("deno.json")}`, "--unstable-kv"];
  return ["run", ...project, ...data, ...flags, pathOf(`docs/snippets/${file}`)];
}

Deno.test("the server and worker of docs/operations.md run a job in two processes, and the worker ends on SIGTERM", async () => {
  await using cwd = await TempFolder.make();
  const worker = new Deno.Command(Deno.execPath(), { args: run("worker.ts"), cwd: cwd.path, stdin: "null" }).spawn();
  const client = new Client({ name: "snippets-test", version: "1.0.0" });
  const transport = new StdioClientTransport({ command: Deno.execPath(), args: run("server.ts"), cwd: cwd.path });
  const gone = Promise.withResolvers<void>();
  client.onclose = gone.resolve;
  try {
    await client.connect(transport);
    const { structuredContent } = await client.callTool({ name: "generate_report", arguments: { user_id: "42" } });
    assertEquals(structuredContent, { user_id: "42", revenue: 42000, items: 17 });
    worker.kill("SIGTERM");
    assertEquals((await worker.status).code, 0);
  } finally {
    // Closing the client first would leave its 2 s timer behind.
    if (transport.pid !== null) {
      Deno.kill(transport.pid, "SIGTERM");
      await gone.promise;
    }
    await client.close();
    try {
      worker.kill("SIGKILL");
    } catch {
      // It has ended, as expected.
    }
    await worker.status;
  }
});

Deno.test("the server of docs/security.md refuses a caller without a token, and says where to get one", async () => {
  await using cwd = await TempFolder.make();
  const flags = ["--allow-net", "--allow-env=PORT"];
  const server = new Deno.Command(Deno.execPath(), {
    args: run("http.ts", ...flags),
    cwd: cwd.path,
    env: { PORT: "0" },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const lines = server.stderr.pipeThrough(new TextDecoderStream());
  try {
    let said = "";
    let url: string | undefined;
    for await (const text of lines.values({ preventCancel: true })) {
      said += text;
      url = /Serving MCP on (\S+)\n/.exec(said)?.[1];
      if (url !== undefined) break;
    }
    assert(url !== undefined, `The server ended, and said: ${said}`);
    const refused = await fetch(url, { method: "POST" });
    await refused.body?.cancel();
    assertEquals(refused.status, 401);
    assertStringIncludes(refused.headers.get("www-authenticate") ?? "", "https://jobs.example.com/.well-known/");
    const metadata = await fetch(new URL("/.well-known/oauth-protected-resource/mcp", url));
    assertEquals((await metadata.json()).authorization_servers, ["https://login.example.com/"]);
  } finally {
    server.kill("SIGTERM");
    await lines.cancel();
    await server.status;
  }
});

Deno.test("jobs are served inside another web server, which ends on SIGTERM", async () => {
  await using cwd = await TempFolder.make();
  const port = freePort();
  const server = new Deno.Command(Deno.execPath(), {
    args: run("embed.ts", "--allow-net", "--allow-env=PORT"),
    cwd: cwd.path,
    env: { PORT: String(port) },
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const output = server.stderr[Symbol.asyncIterator]();
  await output.next(); // It is listening.
  const client = new Client({ name: "snippets-test", version: "1.0.0" });
  try {
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "My own pages.\n");
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/healthz`)).json(), { status: "ok" });
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${port}/mcp`)));
    const { structuredContent } = await client.callTool({ name: "generate_report", arguments: { user_id: "42" } });
    assertEquals(structuredContent, { user_id: "42", revenue: 42000, items: 17 });
  } finally {
    server.kill("SIGTERM");
    assertEquals((await server.status).code, 0);
    await client.close();
    await output.return?.();
  }
});

Deno.test("a strategy that combines two shows both surfaces, with one task behind them", async () => {
  await using bench = new Bench(new BothStrategy());
  const surface = bench.expose(report);
  assertEquals(surface.tools.map(({ name }) => name), [
    "report",
    "report_start",
    "report_status",
    "report_result",
    "report_cancel",
  ]);
  await bench.work(report);
  const { structuredContent } = await call(surface, "report_start", { user: "ann" });
  const token = String(structuredContent?.token);
  await bench.until(token, ({ status }) => status === "COMPLETED");
  const [content] = await surface.templates[0]?.read({ id: token }, ME) ?? [];
  assertEquals(content && "text" in content && JSON.parse(content.text), { total: 3 });
  assertEquals(toolOf(surface, "report").taskSupport, "optional");
});

Deno.test("a strategy made of parts returns the result, and cancelling a call cancels its task", async () => {
  await using bench = new Bench(new WaitingStrategy());
  const [reports, waits] = [bench.expose(report), bench.expose(endless)];
  await bench.work(report, endless);
  assertEquals((await call(reports, "report", { user: "ann" })).structuredContent, { total: 3 });
  const cancelled = new AbortController();
  const begun = Promise.withResolvers<TaskInfo>();
  const onChange = (task: TaskInfo) => task.status === "RUNNING" && begun.resolve(task);
  const calling = toolOf(waits, "endless").call({}, { owner: ME, client: PLAIN, signal: cancelled.signal, onChange });
  const { id } = await begun.promise;
  cancelled.abort(new CallCancelled("The call was cancelled."));
  await assertRejects(() => calling, CallCancelled);
  assertEquals((await bench.backend.get(id, ME)).status, "CANCELLED");
});

Deno.test("through a strategy made of parts, an answer continues its task, and calls with one key share a task", async () => {
  await using backend = new MemoryBackend();
  await using server = new AsyncToolServer({
    name: "snippets",
    version: "1.0.0",
    backend,
    strategy: new WaitingStrategy(),
  });
  const asks = defineJob({
    name: "asks",
    input: z.object({}),
    run: async (_, { id, elicit }) => {
      const { action } = await elicit({ message: "Go on?", schema: z.object({ ok: z.boolean() }) });
      return { id, action };
    },
  });
  server.registerAsyncTool(asks);
  await using _worker = createWorker(backend, [asks]);
  const versionNegotiation = { mode: { pin: "2026-07-28" } };
  const client = new Modern(
    { name: "snippets-test", version: "1.0.0" },
    { capabilities: { elicitation: {} }, versionNegotiation },
  );
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: { ok: true } }));
  const url = new URL("http://127.0.0.1/mcp");
  await client.connect(new ModernTransport(url, { fetch: (to, init) => server.fetch(new Request(to, init)) }));
  const _meta = { "mcp-jobs/idempotencyKey": "once" };
  const ask = async () => (await client.callTool({ name: "asks", arguments: {}, _meta })).structuredContent;
  const [first, second] = [await ask(), await ask()];
  const { tasks } = await backend.operator.tasks();
  assertEquals(tasks.length, 1);
  assertEquals([first, second], Array(2).fill({ id: tasks[0]?.id, action: "accept" }));
  await client.close();
});

Deno.test("the log of ends writes a line for each task that ends", async () => {
  await using backend = new MemoryBackend();
  await using _worker = createWorker(backend, [report]);
  const first = Promise.withResolvers<string>();
  const stop = logEnds(backend, first.resolve);
  const id = newTaskId();
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  await backend.create({ id, job: "report", owner: ME, input: { user: "ann" }, resultTtl: 60_000, retry });
  const { ms, ...line } = JSON.parse(await first.promise);
  assertEquals(line, { id, job: "report", status: "COMPLETED" });
  assert(ms >= 0);
  stop();
});

Deno.test("the reminder waits for days, sends each text once although its code runs again, and decides the same", async () => {
  using time = new FakeTime(Date.UTC(2026, 10, 28, 12));
  const [begun, HOUR] = [Date.now(), 3_600_000];
  const sent: { readonly text: string; readonly key: string; readonly at: number }[] = [];
  const { fetch } = globalThis;
  globalThis.fetch = async (...request) => {
    const { headers, body } = new Request(...request);
    const { text } = await new Response(body).json();
    sent.push({ text, key: headers.get("idempotency-key") ?? "", at: Date.now() - begun });
    return new Response();
  };
  using _restored = { [Symbol.dispose]: () => void (globalThis.fetch = fetch) };
  const backend = new MemoryBackend();
  const worker = createWorker(backend, [remind]);
  const client = createClient(backend, { owner: ME });
  const appointment = "2026-12-02T12:00:00.000Z";
  const runOnce = async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    // A waiting client would look at the task every 30 s of these days.
    const stop = backend.watch((event) => event.kind === "change" && isFinished(event.task) && resolve(event.task.id));
    await client.start(remind, { user_id: "7", appointment });
    const id = await pass(time, promise);
    stop();
    return await backend.outcome(id, ME);
  };
  assertEquals(await runOnce(), { kind: "value", value: { asked: "2026-11-28T12:00:00.000Z" } });
  const [first, second, ...more] = sent;
  assert(first !== undefined && second !== undefined && more.length === 0 && first.key !== second.key);
  assertEquals([first.text, second.text], [`Your appointment: ${appointment}`, "It begins in an hour."]);
  assert(first.at >= 72 * HOUR && first.at < 72 * HOUR + 61_000, `${first.at}`);
  assert(second.at >= 95 * HOUR && second.at < 95 * HOUR + 1_000, `${second.at}`);
  assertEquals(await runOnce(), { kind: "tool_error", message: "It begins within an hour." });
  client[Symbol.dispose]();
  await pass(time, worker.close());
  await pass(time, backend.close());
});

Deno.test("a job that starts others starts each once, and leaves the only slot of its worker to them", async () => {
  using time = new FakeTime();
  const backend = new MemoryBackend();
  const countBook = bookCounter(backend);
  const worker = createWorker(backend, [countBook, countWords], { concurrency: 1 });
  const client = createClient(backend, { owner: ME });
  const chapters = Array.from({ length: 250 }, (_, index) => `chapter ${index}`); // More than a task may have steps.
  const book = await client.start(countBook, { chapters });
  assertEquals(await pass(time, client.wait(book)), { words: 500 });
  const { tasks } = await backend.list(ME, { limit: 1_000 });
  const kinds = Object.groupBy(tasks, ({ job, status }) => `${job} ${status}`);
  assertEquals([Object.keys(kinds), kinds["count_words COMPLETED"]?.length], [
    ["count_words COMPLETED", "count_book COMPLETED"],
    250,
  ]);
  client[Symbol.dispose]();
  await pass(time, worker.close());
  await pass(time, backend.close());
});

Deno.test("the snippet that follows a log writes each line once, as it comes, and ends with the task", async () => {
  await using backend = new MemoryBackend();
  const [written, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const job = defineJob({
    name: "tells",
    input: { type: "object" },
    run: async (_, ctx) => {
      for (let line = 1; line <= 3; line++) await ctx.log(`line ${line}`);
      await go.promise;
      void ctx.log("warning", "the last line");
    },
  });
  await using _worker = createWorker(backend, [job]);
  const retry = { attempts: 1, delay: 1, maxDelay: 1 };
  const task = { id: newTaskId(), job: "tells", owner: ME, input: {}, resultTtl: 60_000, retry };
  await backend.create(task);
  const lines: string[] = [];
  const followed = followLog(backend, task, ({ level, text }) => {
    if (lines.push(`${level} ${text}`) === 3) written.resolve();
  });
  await written.promise;
  go.resolve();
  await followed;
  assertEquals(lines, ["info line 1", "info line 2", "info line 3", "warning the last line"]);
});
