/**
 * A Redis for tests: a server process of their own on a free port, or, where `redis-server` is not installed, the one
 * that REDIS_URL names.
 *
 * @module
 */

/** Whether a server can be started here. */
export const hasRedisServer: boolean = await new Deno.Command("redis-server", { args: ["--version"] }).output()
  .then(({ success }) => success, () => false);

/** Why the tests on Redis are left out, or `undefined` if they can run. */
export const noRedis: string | undefined = hasRedisServer || Deno.env.has("REDIS_URL")
  ? undefined
  : "install redis-server, or set REDIS_URL to a Redis for tests";

/** A Redis for one test, whose keys are to have a prefix of their own: REDIS_URL, or else a server that ends with it. */
export async function openRedis(): Promise<AsyncDisposable & { readonly url: string }> {
  const url = Deno.env.get("REDIS_URL");
  return url === undefined ? await RedisServer.start() : { url, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** A running `redis-server`. */
export class RedisServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #port: number;
  readonly #persistent: boolean;
  #child: Deno.ChildProcess | undefined;

  private constructor(folder: string, port: number, persistent: boolean) {
    this.#folder = folder;
    this.#port = port;
    this.#persistent = persistent;
  }

  /** Starts one. With `persistent` it writes every change to disk before it answers. */
  static async start({ persistent = false }: { readonly persistent?: boolean } = {}): Promise<RedisServer> {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-redis-" });
    const server = new RedisServer(folder, freePort(), persistent);
    await server.start();
    return server;
  }

  /** Where it listens. */
  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Starts it again after `kill`, and waits until it answers. */
  async start(): Promise<void> {
    const aof = this.#persistent ? ["yes", "--appendfsync", "always"] : ["no"];
    this.#child = new Deno.Command("redis-server", {
      args: ["--port", String(this.#port), "--dir", this.#folder, "--save", "", "--appendonly", ...aof],
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    while (!await answers(this.#port)) await new Promise((resolve) => setTimeout(resolve, 20));
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

async function answers(port: number): Promise<boolean> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode("PING\r\n"));
    const buffer = new Uint8Array(5);
    await connection.read(buffer);
    return new TextDecoder().decode(buffer) === "+PONG";
  } catch {
    return false;
  }
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
