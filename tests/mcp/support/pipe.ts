/**
 * The fixture server, or another one, spoken to in raw JSON-RPC over stdio: no SDK between the test and the wire.
 *
 * @module
 */
import { lines } from "../../../chaos/lines.ts";
import { fixtureServer, type StrategyName } from "../../interop/support/fixture.ts";
import { type Program, runInPlace, startProcess } from "./program.ts";
import type { Fields, Message } from "./wire_message.ts";
import { checkTasks } from "./wire_tasks.ts";

/** How long a test waits for a message before it fails, in ms. */
const WAIT_MS = 60_000;

/** The fixture server: its arguments are those of `startFixture`, with the transport as the second one. */
export const FIXTURE = new URL("../../interop/support/server.ts", import.meta.url);

/** The fixture server as a process. With a path its tasks stand in that KV file; `"contracts"` leaves them to other processes. */
export function startFixture(strategy: StrategyName, ...more: readonly string[]): Program {
  return startProcess(FIXTURE, [strategy, "stdio", ...more]);
}

/** Speaks raw JSON-RPC with a server. */
export class Pipe implements AsyncDisposable {
  /** Every message that arrived, in order. */
  readonly messages: Message[] = [];
  /** The size of each, in bytes. */
  readonly sizes: number[] = [];
  readonly #server: Program;
  readonly #stdin: WritableStreamDefaultWriter<Uint8Array>;
  readonly #waiting = new Set<() => void>();
  readonly #reading: Promise<void>;
  readonly #stderr: Promise<string>;
  #lastId = 0;

  /** Speaks with this server, by default the fixture in this process. */
  constructor(what: StrategyName | Program) {
    this.#server = typeof what === "string" ? runInPlace(fixtureServer(what)) : what;
    this.#stdin = this.#server.stdin.getWriter();
    this.#stderr = new Response(this.#server.stderr).text();
    this.#reading = this.#read();
  }

  /** Starts the server and opens the session. */
  static async open(what: StrategyName | Program, capabilities: Fields = {}): Promise<Pipe> {
    const pipe = new Pipe(what);
    await pipe.request("initialize", {
      protocolVersion: "2025-11-25",
      capabilities,
      clientInfo: { name: "pipe", version: "1.0.0" },
    });
    await pipe.send({ jsonrpc: "2.0", method: "notifications/initialized" });
    return pipe;
  }

  /** Writes one line. */
  async line(text: string): Promise<void> {
    await this.#stdin.write(new TextEncoder().encode(`${text}\n`));
  }

  /** Writes one message. */
  async send(message: unknown): Promise<void> {
    await this.line(JSON.stringify(message));
  }

  /** Sends a request and waits for its response. `params` may be anything, even if it is not allowed. */
  async request(method: string, params?: unknown): Promise<Message> {
    const id = ++this.#lastId;
    await this.send({ jsonrpc: "2.0", id, method, params });
    return await this.next((message) => message.id === id && message.method === undefined);
  }

  /** The result of a request; throws if it is an error. */
  async result(method: string, params?: unknown): Promise<Fields> {
    const { result, error } = await this.request(method, params);
    if (result === undefined) throw new Error(`${method} failed: ${JSON.stringify(error)}`);
    return result;
  }

  /** The error of a request; throws if there is none. */
  async error(method: string, params?: unknown): Promise<NonNullable<Message["error"]>> {
    const { result, error } = await this.request(method, params);
    if (error === undefined) throw new Error(`${method} did not fail: ${JSON.stringify(result)}`);
    return error;
  }

  /** Calls a tool, plainly or as a task. */
  call(name: string, args: unknown = {}, more: Fields = {}): Promise<Fields> {
    return this.result("tools/call", { name, arguments: args, ...more });
  }

  /** Starts a tool as a task, and returns its id. */
  async start(name: string, args: unknown = {}): Promise<string> {
    const { task } = await this.call(name, args, { task: {} });
    return task.taskId;
  }

  /** Resolves with the first message, past or to come, that fits. */
  next(fits: (message: Message) => boolean): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const check = () => {
      const found = this.messages.find(fits);
      if (found) resolve(found);
    };
    const fail = () => reject(new Error(`Never came; the last ones were ${JSON.stringify(this.messages.slice(-5))}`));
    const timer = setTimeout(fail, WAIT_MS);
    this.#waiting.add(check);
    check();
    // A server that has ended sends nothing more; its last lines tell why.
    this.#reading.then(async () => reject(new Error(`The server ended: ${await this.#stderr}`)), reject);
    return promise.finally(() => {
      clearTimeout(timer);
      this.#waiting.delete(check);
    });
  }

  /** Sends a signal to the server. */
  kill(signal: Deno.Signal): void {
    this.#server.kill(signal);
  }

  /** Closes stdin, or leaves it open, and waits for the server to end. */
  async end(how: "close stdin" | "wait" = "close stdin"): Promise<Deno.CommandStatus & { readonly stderr: string }> {
    if (how === "close stdin") await this.#stdin.close();
    const status = await this.#server.status;
    await this.#reading;
    if (how === "wait") await this.#stdin.abort().catch(() => {});
    return { ...status, stderr: await this.#stderr };
  }

  /** Ends the server if it is still running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stdin.close().catch(() => {});
    await this.#server.status;
    await Promise.all([this.#reading, this.#stderr]);
  }

  async #read(): Promise<void> {
    for await (const line of lines(this.#server.stdout)) {
      // A line that is not JSON, or holds an ill-formed task, throws here, and fails the test that waits or ends the pipe.
      const message: Message = JSON.parse(line);
      checkTasks(message);
      this.messages.push(message);
      this.sizes.push(new TextEncoder().encode(line).length);
      for (const check of this.#waiting) check();
    }
  }
}
