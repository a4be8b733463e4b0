/**
 * A stdio server that hosts start only to look at its tools, and what becomes of the work of clients that are gone.
 *
 * @module
 */
import { DenoKvBackend } from "../../mod.ts";
import { FirstCall, STAY_MS } from "../../src/mcp/first_call.ts";
import type { TaskInfo } from "../../src/task.ts";
import { assert, assertEquals } from "../../tools/std.ts";
import { until } from "../processes.ts";
import { type Fields, Pipe } from "./pipe.ts";

const SERVER = new URL("./looked_at_server.ts", import.meta.url);

/** The owner of all tasks over stdio. */
const OWNER = "local";

/** An app: its server can be started any number of times, on one store. */
class App implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly #disconnect: readonly string[];

  constructor(...disconnect: readonly string[]) {
    this.#disconnect = disconnect;
  }

  /** Starts the server and opens the session. */
  async open(): Promise<Pipe> {
    const pipe = new Pipe(SERVER, `${this.#folder}/jobs.kv`, `${this.#folder}/log`, ...this.#disconnect);
    const clientInfo = { name: "host", version: "1" };
    await pipe.request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    await pipe.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    return pipe;
  }

  /** Each begin and each abort of the job's code, in order. */
  async log(): Promise<string[]> {
    const text = await Deno.readTextFile(`${this.#folder}/log`).catch(() => "");
    return text.split("\n").filter((line) => line !== "").map((line) => line.split(" ")[0] ?? "");
  }

  async begun(times: number): Promise<void> {
    const count = async () => (await this.log()).filter((line) => line === "begun").length;
    await until(async () => await count() === times, `the job has begun ${times} times`);
  }

  /** All tasks, as the store has them now. */
  async tasks(): Promise<readonly TaskInfo[]> {
    await using backend = await DenoKvBackend.open({ path: `${this.#folder}/jobs.kv` });
    return (await backend.list(OWNER, { limit: 10 })).tasks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Calls without a wait for the answer, which does not come. */
function call(pipe: Pipe, more: Fields = {}): Promise<void> {
  const params = { name: "send_mail", arguments: {}, ...more };
  return pipe.send({ jsonrpc: "2.0", id: "call", method: "tools/call", params });
}

Deno.test("a server that is started ten times only to list its tools runs no work of a client that is gone", async () => {
  await using app = new App("false");
  {
    await using pipe = await app.open();
    await call(pipe);
    await app.begun(1);
    await pipe.end();
  }
  let slow = 0;
  for (let quick = 0; quick < 10;) {
    const started = performance.now();
    await using pipe = await app.open();
    assertEquals((await pipe.result("tools/list")).tools.length, 1);
    await pipe.end();
    // A look that takes so long, on a busy machine, is a stay.
    if (performance.now() - started < STAY_MS) quick++;
    else slow++;
  }
  const again = (await app.log()).filter((line) => line === "begun").length - 1;
  assert(again <= slow, `The code began ${again} times more, in ${slow} stays.`);
});

Deno.test("a server goes on with old work once its client calls something", async () => {
  await using app = new App();
  {
    await using pipe = await app.open();
    await call(pipe, { task: {} });
    await app.begun(1);
    await pipe.end();
  }
  await using pipe = await app.open();
  await pipe.result("tasks/list");
  await app.begun(2);
  await pipe.end();
});

Deno.test("a plain call whose stdio client is gone is cancelled, and its code sees its signal abort", async () => {
  await using app = new App();
  {
    await using pipe = await app.open();
    await call(pipe);
    await app.begun(1);
    assertEquals((await pipe.end()).code, 0);
  }
  const [task] = await app.tasks();
  assertEquals([task?.status, await app.log()], ["CANCELLED", ["begun", "aborted"]]);
});

Deno.test("a plain call whose stdio client is gone goes on later where its registration says so", async () => {
  await using app = new App("false");
  {
    await using pipe = await app.open();
    await call(pipe);
    await app.begun(1);
    await pipe.end();
  }
  const [task] = await app.tasks();
  assertEquals([task?.status, task?.message?.startsWith("Handed back")], ["PENDING", true]);
});

Deno.test("a task whose stdio client is gone goes on later, because its client has its id", async () => {
  await using app = new App();
  {
    await using pipe = await app.open();
    await call(pipe, { task: {} });
    await app.begun(1);
    await pipe.end();
  }
  assertEquals((await app.tasks()).map(({ status }) => status), ["PENDING"]);
});

const never = new Promise<void>(() => {});

function request(method: string) {
  return { jsonrpc: "2.0", id: 1, method } as const;
}

Deno.test("what asks for work or its results counts as a call, and what asks what there is does not", async () => {
  const isCall = async (method: string) => {
    const first = new FirstCall();
    first.received(request(method));
    let called = false;
    const gone = new Promise<void>((resolve) => setTimeout(resolve));
    await Promise.race([first.within(60_000, never).then(() => called = true), gone]);
    // Ends the wait that is still open, and its timer with it.
    first.received(request("tools/call"));
    return called;
  };
  for (const method of ["tools/call", "tasks/get", "tasks/list", "resources/read", "subscriptions/listen"]) {
    assertEquals([method, await isCall(method)], [method, true]);
  }
  for (const method of ["initialize", "ping", "tools/list", "resources/list", "server/discover", "prompts/list"]) {
    assertEquals([method, await isCall(method)], [method, false]);
  }
});

Deno.test("a client that stays counts as one that calls, and one that is gone is not waited for", async () => {
  await new FirstCall().within(1, never);
  await new FirstCall().within(60_000, Promise.resolve());
});
