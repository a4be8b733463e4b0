/**
 * A stdio server that hosts start only to list its tools, and what happens to the work of clients that are gone.
 *
 * @module
 */
import { FirstCall } from "../../../src/mcp/stdio/first_call.ts";
import type { TaskInfo } from "../../../src/task.ts";
import { noRedis, openRedis } from "../../../tools/redis_server.ts";
import { assert, assertEquals } from "../../../tools/std.ts";
import { until } from "../../support/processes.ts";
import { testUnless } from "../../support/test_unless.ts";
import { envelope } from "../support/modern.ts";
import { Pipe } from "../support/pipe.ts";
import { open, serverOn } from "../support/listing_only_server.ts";
import { runInPlace, startProcess } from "../support/program.ts";
import type { Fields } from "../support/wire_message.ts";

const SERVER = new URL("../support/listing_only_server.ts", import.meta.url);

/** The owner of all tasks over stdio. */
const OWNER = "local";

const CANCELLED = "aborted: The task was cancelled.";
const SHUT_DOWN = "aborted: The worker shuts down.";

interface AppOptions {
  /** The URL of a Redis; default: a KV file. */
  readonly redis?: string;
  readonly cancelOnDisconnect?: boolean;
  /** Whether each server is a process, which takes it longer to start. */
  readonly inProcesses?: boolean;
}

/** An app: its server can be started any number of times, on one store. */
class App implements AsyncDisposable {
  readonly #folder = Deno.makeTempDirSync();
  readonly #store: string;
  readonly #cancelOnDisconnect: boolean | undefined;
  readonly #inProcesses: boolean;

  constructor({ redis, cancelOnDisconnect, inProcesses = false }: AppOptions = {}) {
    this.#store = redis ?? `${this.#folder}/jobs.kv`;
    this.#cancelOnDisconnect = cancelOnDisconnect;
    this.#inProcesses = inProcesses;
  }

  /** Starts the server. */
  async start(): Promise<Pipe> {
    const [log, cancelOnDisconnect] = [`${this.#folder}/log`, this.#cancelOnDisconnect];
    if (this.#inProcesses) {
      const more = cancelOnDisconnect === undefined ? [] : [String(cancelOnDisconnect)];
      return new Pipe(startProcess(SERVER, [this.#store, log, ...more]));
    }
    const backend = await open(this.#store);
    const program = runInPlace(serverOn(backend, log, cancelOnDisconnect));
    return new Pipe({ ...program, status: program.status.finally(() => backend.close()) });
  }

  /** Starts the server and opens a session of 2025-11-25. */
  async open(): Promise<Pipe> {
    const pipe = await this.start();
    const clientInfo = { name: "host", version: "1" };
    await pipe.request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    await pipe.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    return pipe;
  }

  /** What has happened so far, in order. */
  async log(): Promise<readonly string[]> {
    const text = await Deno.readTextFile(`${this.#folder}/log`).catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  /** How often the job's code has started. */
  async beginnings(): Promise<number> {
    return (await this.log()).filter((line) => line === "begun").length;
  }

  async begun(times: number): Promise<void> {
    await until(async () => await this.beginnings() === times, `the job has begun ${times} times`);
  }

  /** All tasks in the store. */
  async tasks(): Promise<readonly TaskInfo[]> {
    await using backend = await open(this.#store);
    return (await backend.list(OWNER, { limit: 10 })).tasks;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Sends a call without waiting for the response, which does not come. */
function call(pipe: Pipe, more: Fields = {}): Promise<void> {
  const params = { name: "send_mail", arguments: {}, ...more };
  return pipe.send({ jsonrpc: "2.0", id: "call", method: "tools/call", params });
}

/** One plain call whose client has left, and then health checks. */
async function listTools(app: App, times: number): Promise<void> {
  {
    await using pipe = await app.open();
    await call(pipe);
    await app.begun(1);
    await pipe.end();
  }
  for (let i = 0; i < times; i++) {
    await using pipe = await app.open();
    assertEquals((await pipe.result("tools/list")).tools.length, 1);
    await pipe.end();
  }
  assertEquals(await app.beginnings(), 1);
}

Deno.test("a server that is started again and again only to list its tools runs no old work", async () => {
  await using app = new App({ cancelOnDisconnect: false, inProcesses: true });
  await listTools(app, 2);
  const [task] = await app.tasks();
  assertEquals([task?.status, task?.attempt], ["PENDING", 0]);
});

testUnless(noRedis, "on Redis, too, a server that is started only to list its tools runs no old work", async () => {
  await using redis = await openRedis();
  await using app = new App({ redis: redis.url, cancelOnDisconnect: false });
  await listTools(app, 2);
});

Deno.test("a server's worker is ready before the first call", async () => {
  await using app = new App();
  await using pipe = await app.open();
  assertEquals(await app.log(), ["ready"]);
  await pipe.end();
});

Deno.test("a server resumes old work once its client calls something", async () => {
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

for (
  const [how, revision] of [["closes stdin", "2025-11-25"], ["closes stdin", "2026-07-28"], ["ends it", "2025-11-25"]]
) {
  Deno.test(`a plain call of ${revision} is cancelled when its stdio client ${how}, and its code sees its signal abort`, async () => {
    await using app = new App({ inProcesses: how === "ends it" });
    {
      const isOld = revision === "2025-11-25";
      await using pipe = isOld ? await app.open() : await app.start();
      await call(pipe, isOld ? {} : { _meta: envelope({}) });
      await app.begun(1);
      if (how === "ends it") pipe.kill("SIGTERM");
      assertEquals((await pipe.end(how === "ends it" ? "wait" : "close stdin")).code, 0);
    }
    const cancelled = "cancelled: The connection of its plain call is gone.";
    assertEquals((await app.log()).filter((line) => line !== "ready" && line !== "created"), [
      "begun",
      CANCELLED,
      cancelled,
    ]);
    const [task] = await app.tasks();
    assertEquals([task?.status, task && "work" in task && task.work], ["CANCELLED", "stopped"]);
  });
}

testUnless(
  noRedis,
  "on Redis, too, a plain call is cancelled before its server ends, and not handed back",
  async () => {
    await using redis = await openRedis();
    await using app = new App({ redis: redis.url, inProcesses: true });
    {
      await using pipe = await app.open();
      await call(pipe);
      await app.begun(1);
      await pipe.end();
    }
    assert((await app.log()).includes(CANCELLED));
    assertEquals((await app.tasks()).map(({ status }) => status), ["CANCELLED"]);
  },
);

Deno.test("a plain call whose stdio client is gone goes on later if its registration says so", async () => {
  await using app = new App({ cancelOnDisconnect: false });
  {
    await using pipe = await app.open();
    await call(pipe);
    await app.begun(1);
    await pipe.end();
  }
  const [task] = await app.tasks();
  assertEquals([task?.status, task?.message?.startsWith("Handed back")], ["PENDING", true]);
  assert((await app.log()).includes(SHUT_DOWN));
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

/** Whether a request of this method is a first call. */
async function isCall(method: string): Promise<boolean> {
  using first = new FirstCall();
  let called = false;
  first.used.then(() => called = true);
  first.received({ jsonrpc: "2.0", id: 1, method });
  await Promise.resolve();
  return called;
}

Deno.test("a request for work or its results counts as a call, and a request for a list does not", async () => {
  for (const method of ["tools/call", "tasks/get", "tasks/list", "resources/read", "subscriptions/listen"]) {
    assertEquals([method, await isCall(method)], [method, true]);
  }
  for (const method of ["initialize", "ping", "tools/list", "resources/list", "server/discover", "prompts/list"]) {
    assertEquals([method, await isCall(method)], [method, false]);
  }
});

Deno.test("a client that stays counts as one that calls, and one that leaves has no timer left", async () => {
  using stays = new FirstCall(1);
  await stays.used;
  new FirstCall()[Symbol.dispose]();
});
