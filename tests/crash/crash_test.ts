/**
 * What survives `kill -9`, with real processes, seen by the official client.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { assertEquals } from "../../tools/std.ts";
import { until } from "../processes.ts";

const SCRIPT = new URL("process.ts", import.meta.url).pathname;
const processArgs = (role: string, path: string) => ["run", "--allow-all", "--unstable-kv", SCRIPT, role, path];

/** A folder for one test: the KV file and the gates. */
class Place implements AsyncDisposable {
  private constructor(readonly folder: string) {}

  static async make(): Promise<Place> {
    return new Place(await Deno.makeTempDir({ prefix: "mcp-jobs-crash-" }));
  }

  get kv(): string {
    return `${this.folder}/jobs.kv`;
  }

  get gate(): string {
    return `${this.folder}/gate`;
  }

  async openGate(): Promise<void> {
    await Deno.writeTextFile(this.gate, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A client and the server process that it has started. */
class Session implements AsyncDisposable {
  private constructor(readonly client: Client, readonly transport: StdioClientTransport) {}

  static async start(role: "server" | "embedded", { kv }: Place): Promise<Session> {
    const client = new Client({ name: "crash-test", version: "1.0.0" });
    const transport = new StdioClientTransport({ command: Deno.execPath(), args: processArgs(role, kv) });
    await client.connect(transport);
    return new Session(client, transport);
  }

  async begin({ gate }: Place): Promise<string> {
    const request = { method: "tools/call", params: { name: "gated", arguments: { gate }, task: {} } } as const;
    return (await this.client.request(request, CreateTaskResultSchema)).task.taskId;
  }

  /** Waits until the job's code says that it runs its n-th attempt. */
  async runs(id: string, attempt: number): Promise<void> {
    await until(async () => {
      const { statusMessage } = await this.client.experimental.tasks.getTask(id);
      return statusMessage?.includes(`attempt ${attempt}`) ?? false;
    }, `attempt ${attempt} runs`);
  }

  async result(id: string): Promise<unknown> {
    const { structuredContent } = await this.client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
    return structuredContent;
  }

  /** Ends the server process; the client hears of it. */
  async kill(signal: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
    const { pid } = this.transport;
    if (pid === null) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.client.onclose = () => resolve();
    Deno.kill(pid, signal);
    await promise;
  }

  /** The client would wait for its server with a timer of 2 s, and leave it behind: so the server ends first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill("SIGTERM");
    await this.client.close();
  }
}

/** A worker process. */
class WorkerProcess implements AsyncDisposable {
  #ended = false;

  private constructor(readonly child: Deno.ChildProcess) {}

  static async start({ kv }: Place): Promise<WorkerProcess> {
    const options = { args: processArgs("worker", kv), stdin: "piped", stdout: "piped" } as const;
    const child = new Deno.Command(Deno.execPath(), options).spawn();
    const lines = child.stdout.getReader();
    await lines.read();
    lines.releaseLock();
    return new WorkerProcess(child);
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await this.child.stdin.close().catch(() => {});
    await this.child.stdout.cancel();
    await this.child.status;
  }
}

Deno.test("an embedded server that is killed goes on with its task when it is started again", async () => {
  await using place = await Place.make();
  await using first = await Session.start("embedded", place);
  const id = await first.begin(place);
  await first.runs(id, 1);
  await first.kill();

  await using second = await Session.start("embedded", place);
  await second.runs(id, 2);
  await place.openGate();
  assertEquals(await second.result(id), { attempt: 2 });
});

Deno.test("a server that is killed takes nothing with it: the worker goes on, the next server has the result", async () => {
  await using place = await Place.make();
  await using _worker = await WorkerProcess.start(place);
  await using first = await Session.start("server", place);
  const id = await first.begin(place);
  await first.runs(id, 1);
  await first.kill();

  await using second = await Session.start("server", place);
  await place.openGate();
  assertEquals(await second.result(id), { attempt: 1 });
});

Deno.test("a worker that is killed is replaced by another, and the client that waits gets the result", async () => {
  await using place = await Place.make();
  await using doomed = await WorkerProcess.start(place);
  await using session = await Session.start("server", place);
  const id = await session.begin(place);
  await session.runs(id, 1);
  const result = session.result(id);

  await using _heir = await WorkerProcess.start(place);
  await doomed.kill();
  await session.runs(id, 2);
  await place.openGate();
  assertEquals(await result, { attempt: 2 });
});

Deno.test("a task that was waiting while everything was killed runs when a worker comes", async () => {
  await using place = await Place.make();
  await place.openGate();
  await using first = await Session.start("server", place);
  const id = await first.begin(place);
  await first.kill();

  await using second = await Session.start("server", place);
  await using _worker = await WorkerProcess.start(place);
  assertEquals(await second.result(id), { attempt: 1 });
});
