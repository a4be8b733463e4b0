/**
 * A Redis for tests: a server process of their own on a free port, or, where `redis-server` is not installed, the one
 * that REDIS_URL names.
 *
 * @module
 */
import { canRun } from "./processes.ts";

/** How long a server has to start, in ms. */
const START_MS = 30_000;

/** Why no server can be started here, or `undefined` if one can. */
export const noOwnRedis: string | undefined = await canRun("redis-server", "--version")
  ? undefined
  : "install redis-server";

/** Why tests that take any Redis are left out, or `undefined` if they can run. */
export const noRedis: string | undefined = Deno.env.has("REDIS_URL") || noOwnRedis === undefined
  ? undefined
  : `${noOwnRedis}, or set REDIS_URL to a Redis for tests`;

/** A Redis for one test, whose keys are to have a prefix of their own: REDIS_URL, or else a server that ends with it. */
export async function openRedis(): Promise<AsyncDisposable & { readonly url: string }> {
  const url = Deno.env.get("REDIS_URL");
  return url === undefined ? await RedisServer.start() : { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A running `redis-server`. */
export class RedisServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #port: number;
  readonly #settings: readonly string[];
  #child: Deno.ChildProcess | undefined;

  private constructor(folder: string, port: number, settings: readonly string[]) {
    this.#folder = folder;
    this.#port = port;
    this.#settings = settings;
  }

  /** Starts one, with settings as on its command line. With `persistent` what it has answered survives `kill`. */
  static async start(
    { persistent = false, settings = [] }: { readonly persistent?: boolean; readonly settings?: readonly string[] } =
      {},
  ): Promise<RedisServer> {
    if (noOwnRedis !== undefined) throw new Error("Cannot start a Redis: redis-server is not on the PATH. Install it.");
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-redis-" });
    // Without an fsync a change is with the system before it is answered, and a disk that others keep busy holds nobody up.
    const log = persistent ? ["--appendonly", "yes", "--appendfsync", "no"] : ["--appendonly", "no"];
    const server = new RedisServer(folder, freePort(), [...log, ...settings]);
    await server.start();
    return server;
  }

  /** Where it listens. */
  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Starts it again after `kill`, and waits until it answers. */
  async start(): Promise<void> {
    const child = new Deno.Command("redis-server", {
      args: ["--port", String(this.#port), "--dir", this.#folder, "--save", "", ...this.#settings],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    this.#child = child;
    const failed = await whenRedisAnswers(child, this.#port, START_MS);
    if (failed !== undefined) throw new Error(`redis-server ${failed}: run it by hand to see why.`);
  }

  /** Ends it with SIGKILL, as a crash would. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#child?.status;
    this.#child = undefined;
  }

  /** Stops it from answering while its connections stay open, as a lost network would; and lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  /** Ends it without a wait, for the end of a process. */
  end(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
    Deno.removeSync(this.#folder, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/**
 * Waits until a Redis that was just started answers. Resolves with what it did instead, if its process ends before, or it
 * does not answer within `ms`. Rejects with the signal's reason.
 */
export async function whenRedisAnswers(
  process: Deno.ChildProcess,
  port: number,
  ms: number,
  signal?: AbortSignal,
): Promise<string | undefined> {
  let ended = false;
  process.status.then(() => ended = true);
  const deadline = Date.now() + ms;
  while (!await answers(port)) {
    signal?.throwIfAborted();
    if (ended) return `ended before it answered on port ${port}`;
    if (Date.now() > deadline) return `did not answer on port ${port} within ${ms} ms`;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Whether a Redis that asks for no password answers on a port of this machine. */
export async function answers(port: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    // Something else may listen there without answering.
    timer = setTimeout(() => connection.close(), 1_000);
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const buffer = new Uint8Array(5);
    await connection.read(buffer);
    return new TextDecoder().decode(buffer) === "+PONG";
  } catch {
    return false;
  } finally {
    clearTimeout(timer);
  }
}

/**
 * A port of this machine that nothing listens on. The system gives out ports from 32768 on by itself, so no connection
 * and no server on "any port" takes it before it is used; nor does anyone take that of a Redis Cluster's bus, 10,000 above.
 */
export function freePort(): number {
  while (true) {
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
