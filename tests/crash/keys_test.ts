/**
 * What becomes of repeated calls when servers are killed, with real processes on every durable backend.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { lines } from "../../chaos/lines.ts";
import { createWorker, implement } from "../../mod.ts";
import { ToolRegistry } from "../../strategy.ts";
import { isObject } from "../../src/json.ts";
import { LOCAL } from "../../src/mcp/peer.ts";
import { listOf } from "../../src/tasks/starting/task_keys.ts";
import { pause } from "../../src/waiting.ts";
import { randomFrom } from "../../tools/random.ts";
import { assertEquals } from "../../tools/std.ts";
import { until } from "../support/processes.ts";
import { open, patient } from "./keyed_server.ts";
import { onEachStore } from "./stores.ts";

const SCRIPT = fileURLToPath(new URL("keyed_server.ts", import.meta.url));

/** A server process, and the calls of its client. */
class Server implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #answers = new Map<unknown, (result: unknown) => void>();
  readonly #read: Promise<void>;
  #last = 0;

  private constructor(store: string) {
    const args = ["run", "--quiet", "--no-check", "--allow-all", "--unstable-kv", SCRIPT, store];
    const pipes = { stdin: "piped", stdout: "piped", stderr: "null" } as const;
    this.#child = new Deno.Command(Deno.execPath(), { args, ...pipes }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#read = this.#readAll();
  }

  /** Starts one, and waits until it serves. */
  static async start(store: string): Promise<Server> {
    const server = new Server(store);
    const clientInfo = { name: "test", version: "1.0.0" };
    await server.request("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    return server;
  }

  /**
   * Calls a tool, with a key of its own if one is given. Resolves with the data that it returns, or with `undefined` once the
   * server is dead.
   */
  async call(
    name: string,
    input: Record<string, unknown>,
    key?: string,
  ): Promise<Record<string, unknown> | undefined> {
    const _meta = key === undefined ? undefined : { "mcp-jobs/idempotencyKey": key };
    const result = await this.request("tools/call", { name, arguments: input, _meta });
    if (!isObject(result)) return undefined;
    const { structuredContent } = result;
    if (isObject(structuredContent)) return structuredContent;
    throw new Error(`A call of ${name} has returned ${JSON.stringify(result)}.`);
  }

  async request(method: string, params: Record<string, unknown>): Promise<unknown> {
    const id = ++this.#last;
    const answer = Promise.withResolvers<unknown>();
    this.#answers.set(id, answer.resolve);
    const line = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    await this.#writer.write(new TextEncoder().encode(`${line}\n`)).catch(() => {}); // It was killed.
    return await answer.promise;
  }

  /** Ends it with SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    await this.#read;
  }

  async #readAll(): Promise<void> {
    for await (const line of lines(this.#child.stdout)) {
      const { id, result } = JSON.parse(line);
      this.#answers.get(id)?.(result);
    }
    for (const answer of this.#answers.values()) answer(undefined);
  }
}

const SEED = 7;

/** How often three servers start the same keys at once, and how many. In each round but the last, one server is killed. */
const ROUNDS = 3;
const KEYS = 10;

/** The cases, on one store. */
async function exercise(t: Deno.TestContext, store: string): Promise<void> {
  await using backend = await open(store);
  await using stack = new AsyncDisposableStack();
  const start = async () => stack.use(await Server.start(store));
  const servers = await Promise.all([start(), start(), start()]);
  const tasksOf = async (job: string) =>
    (await backend.list(LOCAL.owner, { limit: 1_000 })).tasks.filter((task) => task.job === job);

  await t.step(
    "each input has one task, although three servers start it at once, with different keys, and some of them are killed",
    async () => {
      const random = randomFrom(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const names = Array.from({ length: KEYS }, (_, index) => `${round} ${index}`);
        // The first server's client has no keys.
        const call = (server: Server | undefined, name: string, client: number) =>
          server?.call("once", { name }, client === 0 ? undefined : `${client} ${name}`);
        const calls = servers.flatMap((server, client) => names.map((name) => call(server, name, client)));
        if (round < ROUNDS - 1) {
          const victim = Math.floor(random() * servers.length);
          await pause(60 * random());
          await servers[victim]?.kill();
          servers[victim] = await start();
        }
        await Promise.all(calls);
        // Whoever calls now finds the same tasks.
        const late = await Promise.all(names.map((name) => call(servers[0], name, 0)));
        for (const client of [1, 2]) {
          const found = await Promise.all(names.map((name) => call(servers[0], name, client)));
          assertEquals(found.map((answer) => answer?.token), late.map((answer) => answer?.token));
        }
        const tokens = await Promise.all(
          calls.map(async (call, index) => [index % KEYS, (await call)?.token] as const),
        );
        for (const [index, answer] of late.entries()) {
          const given = tokens.flatMap(([key, token]) => key === index && token !== undefined ? [token] : []);
          assertEquals(new Set([...given, answer?.token]), new Set([answer?.token]), names[index]);
        }
        assertEquals((await tasksOf("once")).length, (round + 1) * KEYS);
      }
    },
  );

  await t.step(
    "the next call takes over the task of a call whose server was killed, and the job runs once",
    async () => {
      let runs = 0;
      const opened = Promise.withResolvers<void>();
      const run = async () => {
        runs++;
        await opened.promise;
        return { runs };
      };
      await using worker = createWorker(backend, [implement(patient, run)], { concurrency: 4 });
      await worker.ready;
      const [killed, other] = servers;
      const input = { name: "Ada" };
      const lost = killed?.call("patient", input);
      const { owner, key } = listOf(new ToolRegistry().register(patient), input, LOCAL.owner);
      await until(
        async () => await backend.keys.readKey(owner, key) !== undefined,
        "the store knows that the call waits",
      );
      await killed?.kill();
      assertEquals(await lost, undefined);
      const again = other?.call("patient", input);
      opened.resolve();
      assertEquals(await again, { runs: 1 });
      assertEquals((await tasksOf("patient")).length, 1);
    },
  );
}

onEachStore("repeated calls and killed servers", exercise);
