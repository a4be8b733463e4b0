/** The processes of a chaos run: workers that are killed and replaced, and the clients that bring their servers. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import {
  type CallToolResult,
  type ElicitRequest,
  ElicitRequestSchema,
  type ElicitResult,
  McpError,
} from "@modelcontextprotocol/sdk/types.js";
import { fileURLToPath } from "node:url";
import { lines } from "./lines.ts";
import { pause } from "../src/waiting.ts";

/** The SDK's own code for a request whose time limit has passed. */
const TIMEOUT = -32001;

/** The SDK's own codes for a connection that is gone or silent: no answer of the server. */
const NO_ANSWER = [-32000, TIMEOUT];

/** What a server says while its store is away. Other errors with the same code are faults of tasks, and answers. */
const STORE_AWAY = "The server's store failed.";

/** The pause before a request is repeated because the store may be away, and for how long it is repeated, in ms. */
const AWAY_MS = 200;
const TIMEOUT_MS = 60_000;

/** A request that fails after a longer time than this, in ms, was sent while the store was there. */
const WAITED_MS = 10_000;

const script = (name: string) => fileURLToPath(new URL(`${name}.ts`, import.meta.url));
const denoArgs = (name: string, args: readonly string[]) => ["run", "-A", "--unstable-kv", script(name), ...args];

/** How a worker process is started. */
export interface WorkerProcessOptions {
  /** The name of its script; default `worker`. */
  readonly worker?: string;
  readonly onLine?: (line: string) => void;
}

/** How a client and its server behave. */
export interface ConnectionOptions {
  /** The name of the server's script; default `server`. */
  readonly server?: string;
  /** Receives each response whose request had already reached its time limit. */
  readonly onLate?: (response: string) => void;
  /** Answers questions. Without it, the client cannot be asked. */
  readonly answer?: (request: ElicitRequest) => Promise<ElicitResult>;
}

/** A worker process. */
export class WorkerProcess {
  readonly #child: Deno.ChildProcess;
  /** Resolves once all of its output is read. */
  readonly #read: Promise<void>;

  private constructor(child: Deno.ChildProcess, read: Promise<void>) {
    this.#child = child;
    this.#read = read;
  }

  /** Starts one; resolves once it says "ready". `onLine` receives what else it writes, line by line. */
  static async start(
    args: readonly string[],
    { worker = "worker", onLine = () => {} }: WorkerProcessOptions = {},
  ): Promise<WorkerProcess> {
    const child = new Deno.Command(Deno.execPath(), {
      args: denoArgs(worker, args),
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const output = lines(child.stdout);
    for (let line = await output.next(); line.value !== "ready"; line = await output.next()) {
      if (line.done) {
        const { code } = await child.status;
        throw new Error(`Cannot start a worker: it ended with exit code ${code}. Its own error stands above.`);
      }
      onLine(line.value); // Its first task began before it could say so.
    }
    const read = async () => {
      for await (const line of output) onLine(line);
    };
    return new WorkerProcess(child, read());
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#end();
  }

  /** Lets it end in peace. */
  async stop(): Promise<void> {
    await this.#child.stdin.close();
    await this.#end();
  }

  async #end(): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await this.#read;
    await this.#child.status;
  }
}

/** A client with a server process of its own, which may be killed under it. */
export class Connection {
  readonly #args: readonly string[];
  readonly #options: ConnectionOptions;
  #current: Promise<{ readonly client: Client; readonly transport: StdioClientTransport }> | undefined;

  /** `args` are those of its server. */
  constructor(args: readonly string[], options: ConnectionOptions = {}) {
    this.#args = args;
    this.#options = options;
  }

  /** Uses the client: again while the store is away, and with the next server if this one dies meanwhile. */
  async use<T>(call: (client: Client) => Promise<T>): Promise<T> {
    let givesUpAt = Infinity;
    while (true) {
      const current = this.#current ??= this.#connect();
      const begun = Date.now();
      try {
        return await call((await current).client);
      } catch (error) {
        if (isStoreAway(error)) {
          // A call that has waited before it failed did so while the store was there: this is another outage.
          if (givesUpAt === Infinity || Date.now() - begun > WAITED_MS) givesUpAt = Date.now() + TIMEOUT_MS;
          if (Date.now() >= givesUpAt) throw error;
          await pause(AWAY_MS);
          continue;
        }
        if (isAnswer(error)) throw error;
        givesUpAt = Infinity; // The server has died, which says nothing of the store.
        if (this.#current === current) this.#current = undefined;
        await current.then(({ client }) => client.close()).catch(() => {});
      }
    }
  }

  /** Kills the server with SIGKILL. Resolves with whether one was running. */
  async kill(): Promise<boolean> {
    const pid = (await this.#current?.catch(() => undefined))?.transport.pid;
    if (typeof pid !== "number") return false;
    try {
      Deno.kill(pid, "SIGKILL");
      return true;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) && !(error instanceof TypeError)) throw error;
      return false;
    }
  }

  /** Ends the client and its server. */
  async close(): Promise<void> {
    await this.#current?.then(({ client }) => client.close()).catch(() => {});
    this.#current = undefined;
  }

  async #connect() {
    const { server = "server", onLate, answer } = this.#options;
    const client = new Client(
      { name: "chaos", version: "1.0.0" },
      answer && { capabilities: { elicitation: { form: {} } } },
    );
    if (answer) client.setRequestHandler(ElicitRequestSchema, answer);
    client.onerror = ({ message }) => {
      const [, response] = message.split("unknown message ID: ");
      if (response !== undefined) onLate?.(response);
    };
    const transport = new StdioClientTransport({
      command: Deno.execPath(),
      args: denoArgs(server, this.#args),
      stderr: "ignore",
    });
    await client.connect(transport);
    return { client, transport };
  }
}

/** Whether the time limit of a request has passed. */
export function isTimeout(error: unknown): boolean {
  return error instanceof McpError && error.code === TIMEOUT;
}

function isAnswer(error: unknown): boolean {
  return error instanceof McpError && !NO_ANSWER.includes(error.code);
}

function isStoreAway(error: unknown): boolean {
  return error instanceof Error && error.message.includes(STORE_AWAY);
}

/** Returns the result of a plain call. Throws if it says that the store is away, which other calls get as an error. */
export function withStore(result: CallToolResult): CallToolResult {
  if (result.isError && JSON.stringify(result.content).includes(STORE_AWAY)) throw new Error(STORE_AWAY);
  return result;
}
