/**
 * A queue on Redis for one run: on one that is there, with keys that are removed at the end, or on one that is started
 * for the run and ends with it.
 *
 * @module
 */
import { Redis } from "ioredis";
import { answers, canRun, freePort, hasRedisServer } from "../../tools/redis_server.ts";
import type { RunQueue } from "./queue.ts";

const USUAL_PORT = 6379;
const IMAGE = "redis:7-alpine";

/** How long a Redis has to start, in ms; Docker may have to fetch it first. */
const START_MS = 10_000;
const FETCH_MS = 180_000;

/** Runs a Redis that stores nothing, until stdin ends: so it ends with us, even if we are killed. */
const SERVE = 'redis-server --save "" --appendonly no "$@" & cat >/dev/null; kill $!; wait $!';

/** Finds a Redis, or starts one. Rejects with a text that says how to get one. */
export async function openRedisQueue(signal: AbortSignal): Promise<RunQueue> {
  const named = Deno.env.get("REDIS_URL");
  if (named) return await use(named, "the one that REDIS_URL names");
  if (await answers(USUAL_PORT)) {
    return await use(`redis://127.0.0.1:${USUAL_PORT}`, `the one on localhost:${USUAL_PORT}`);
  }
  const port = String(freePort());
  if (hasRedisServer) {
    const args = ["-c", SERVE, "redis", "--port", port, "--bind", "127.0.0.1"];
    return await start("sh", args, port, START_MS, signal);
  }
  if (await canRun("docker", "info")) {
    const container = ["run", "--rm", "--interactive", "--publish", `127.0.0.1:${port}:${USUAL_PORT}`, IMAGE];
    const args = [...container, "sh", "-c", SERVE, "redis", "--protected-mode", "no"];
    return await start("docker", args, port, FETCH_MS, signal);
  }
  throw new Error(
    "there is no Redis: REDIS_URL is not set, none answers on localhost:6379, redis-server is not on the PATH, and " +
      "Docker does not run.\nInstall it (`apt-get install redis-server`, `brew install redis`), or start Docker, or set " +
      "REDIS_URL=redis://host:port. Without `--backend redis` the example needs none.",
  );
}

/** Uses a Redis that others may use, too. */
async function use(url: string, about: string): Promise<RunQueue> {
  const prefix = `mcp-jobs-example-${crypto.randomUUID()}`;
  await withClient(url, about, (client) => client.ping());
  return {
    ...toQueue(url, about, prefix),
    [Symbol.asyncDispose]: () =>
      withClient(url, about, async (client) => {
        for await (const keys of client.scanStream({ match: `${prefix}:*`, count: 1_000 })) {
          if (keys.length > 0) await client.unlink(keys);
        }
      }),
  };
}

/** Starts a Redis for this run alone. */
async function start(
  command: string,
  args: readonly string[],
  port: string,
  patience: number,
  signal: AbortSignal,
): Promise<RunQueue> {
  const about = command === "docker" ? `a container of ${IMAGE}` : "a redis-server";
  // Ctrl+C is for the runner: Redis is there until all who use it have ended.
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
    detached: true,
  }).spawn();
  let ended = false;
  process.status.then(() => ended = true);
  const stop = async () => {
    await process.stdin.close().catch(() => {}); // It may have ended by itself.
    await process.status;
  };
  const deadline = Date.now() + patience;
  try {
    while (!await answers(Number(port))) {
      signal.throwIfAborted();
      if (ended || Date.now() > deadline) throw new Error(`${about} was started on port ${port} and does not answer.`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } catch (error) {
    await stop();
    throw error;
  }
  const queue = toQueue(`redis://127.0.0.1:${port}`, `${about} for this run, on port ${port}`, "mcp-jobs-example");
  return { ...queue, [Symbol.asyncDispose]: stop };
}

function toQueue(url: string, about: string, prefix: string) {
  // The URL may hold a password, and arguments are for everyone to read.
  return { about: `Redis: ${about}`, options: ["--backend=redis", `--prefix=${prefix}`], env: { REDIS_URL: url } };
}

async function withClient(url: string, about: string, act: (client: Redis) => Promise<unknown>): Promise<void> {
  const patience = { connectTimeout: 2_000, commandTimeout: 5_000 };
  const client = new Redis(url, { ...patience, lazyConnect: true, retryStrategy: () => null });
  let reason: unknown;
  client.on("error", (error) => reason = error);
  try {
    await client.connect();
    await act(client);
  } catch (error) {
    const cause = reason ?? error;
    throw new Error(`Redis, ${about}, cannot be used: ${cause instanceof Error ? cause.message : cause}`, { cause });
  } finally {
    client.disconnect();
  }
}
