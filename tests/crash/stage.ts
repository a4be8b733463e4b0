/**
 * The servers and workers of the crash tests, and the place that they share: what a test kills is a process.
 *
 * @module
 */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { CallToolResultSchema, CreateTaskResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { fileURLToPath } from "node:url";
import { InPlaceTransport } from "../interop/support/in_place.ts";
import { until } from "../support/processes.ts";
import { open, serverOn, workerOn } from "./process.ts";

const SCRIPT = fileURLToPath(new URL("process.ts", import.meta.url));

function processArgs(role: string, { store, lease }: Place): string[] {
  return ["run", "--allow-all", "--unstable-kv", SCRIPT, role, store, String(lease)];
}

/** A folder for one test, with the gate, and the KV file unless tasks stand elsewhere. */
export class Place implements AsyncDisposable {
  private constructor(readonly folder: string, readonly store: string, readonly lease: number) {}

  /** Makes one. `store` is the URL of a Redis; without it, tasks stand in a KV file. */
  static async make(lease: number, store?: string): Promise<Place> {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-crash-" });
    return new Place(folder, store ?? `${folder}/jobs.kv`, lease);
  }

  get gate(): string {
    return `${this.folder}/gate`;
  }

  /** Lets the jobs end. */
  async openGate(): Promise<void> {
    await Deno.writeTextFile(this.gate, "");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** A client and its server. */
export class Session implements AsyncDisposable {
  private constructor(readonly client: Client, readonly transport: StdioClientTransport | InPlaceTransport) {}

  /** Starts the server as a process, which can be killed. */
  static start(role: "server" | "embedded", place: Place): Promise<Session> {
    return Session.#connect(new StdioClientTransport({ command: Deno.execPath(), args: processArgs(role, place) }));
  }

  /** Runs the server in this process, which takes it no time to start. */
  static async here(role: "server" | "embedded", { store, lease }: Place): Promise<Session> {
    const backend = await open(store, lease);
    const options = role === "embedded" ? { worker: { concurrency: 4 } } : {};
    const transport = new InPlaceTransport(serverOn(backend), options);
    const { close } = transport;
    transport.close = () => close.call(transport).finally(() => backend.close());
    return await Session.#connect(transport);
  }

  static async #connect(transport: StdioClientTransport | InPlaceTransport): Promise<Session> {
    const client = new Client({ name: "crash-test", version: "1.0.0" });
    await client.connect(transport as StdioClientTransport);
    return new Session(client, transport);
  }

  async begin({ gate }: Place): Promise<string> {
    const request = { method: "tools/call", params: { name: "gated", arguments: { gate }, task: {} } } as const;
    return (await this.client.request(request, CreateTaskResultSchema)).task.taskId;
  }

  /**
   * Waits until the job's code says that it runs its n-th attempt, or a later one: a machine that stands still for a whole
   * lease takes a worker for dead that is not.
   */
  async runs(id: string, attempt: number): Promise<void> {
    await until(async () => {
      const { statusMessage } = await this.client.experimental.tasks.getTask(id);
      return Number(/attempt (\d+)/.exec(statusMessage ?? "")?.[1] ?? 0) >= attempt;
    }, `attempt ${attempt} runs`);
  }

  async result(id: string): Promise<unknown> {
    const { structuredContent } = await this.client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
    return structuredContent;
  }

  /** Ends the server process; the client hears of it. */
  async kill(signal: "SIGKILL" | "SIGTERM" | "SIGHUP" = "SIGKILL"): Promise<void> {
    const pid = "pid" in this.transport ? this.transport.pid : null;
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

/** Runs a worker in this process, and waits until it is ready. */
export async function workHere({ store, lease }: Place): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const backend = stack.adopt(await open(store, lease), (backend) => backend.close());
  await stack.use(workerOn(backend)).ready;
  return stack.move();
}

/** A worker process, which can be killed. */
export class WorkerProcess implements AsyncDisposable {
  #ended = false;

  private constructor(readonly child: Deno.ChildProcess) {}

  static async start(place: Place): Promise<WorkerProcess> {
    const options = { args: processArgs("worker", place), stdin: "piped", stdout: "piped" } as const;
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
