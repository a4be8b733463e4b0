/**
 * A queue on Redis for one run: on an existing Redis, with keys that are removed at the end, or on one that is started for
 * the run and ends with it.
 *
 * @module
 */
import { Redis } from "ioredis";
import { answers } from "../../tools/redis_server.ts";
import { startRedis } from "./redis_process.ts";
import type { RunQueue } from "./run_queue.ts";

const USUAL_PORT = 6379;

/** Finds a Redis or starts one. Rejects with an error that says how to get one. */
export async function openRedisQueue(signal: AbortSignal): Promise<RunQueue> {
  const named = Deno.env.get("REDIS_URL");
  if (named) return await use(named, "the one that REDIS_URL names");
  if (await answers(USUAL_PORT)) {
    return await use(`redis://127.0.0.1:${USUAL_PORT}`, `the one on localhost:${USUAL_PORT}`);
  }
  const started = await startRedis(signal);
  if (started) {
    const { about, port } = started;
    const queue = toQueue(`redis://127.0.0.1:${port}`, `${about} for this run, on port ${port}`, "mcp-jobs-example");
    return { ...queue, [Symbol.asyncDispose]: () => started[Symbol.asyncDispose]() };
  }
  throw new Error(
    "there is no Redis: REDIS_URL is not set, none answers on localhost:6379, redis-server is not on the PATH, and " +
      "Docker does not run.\nInstall it (`apt-get install redis-server`, `brew install redis`), or start Docker, or set " +
      "REDIS_URL=redis://host:port. Without `--backend redis` the example needs none.",
  );
}

/** Uses a Redis that may be shared with others. */
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

function toQueue(url: string, about: string, prefix: string) {
  // The URL may contain a password, and every user can read the arguments of a process.
  return { about: `Redis: ${about}`, options: ["--backend=redis", `--prefix=${prefix}`], env: { REDIS_URL: url } };
}

async function withClient(url: string, about: string, act: (client: Redis) => Promise<unknown>): Promise<void> {
  const limits = { connectTimeout: 2_000, commandTimeout: 5_000 };
  const client = new Redis(url, { ...limits, lazyConnect: true, retryStrategy: () => null });
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
