/**
 * A place for the benchmark and the chaos run to work in: a folder that their processes share, and, for Redis, a server
 * of their own that stands beside it.
 *
 * @module
 */
import { type Backend, BullMqBackend, DenoKvBackend, MemoryBackend } from "../mod.ts";
import { RedisServer } from "./redis_server.ts";

/** The backends that a place can be made for. */
export const BACKENDS: readonly string[] = ["memory", "kv", "redis"];

const URL_FILE = "redis.url";

/** A folder, and what stands beside it. */
export class Place implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    private readonly redis: RedisServer | undefined,
  ) {}

  /** Makes a place; a Redis writes every change to disk before it answers if it is to be `persistent`. */
  static async make(backend: string, { persistent = false } = {}): Promise<Place> {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-" });
    const redis = backend === "redis" ? await RedisServer.start({ persistent }) : undefined;
    if (redis) await Deno.writeTextFile(`${folder}/${URL_FILE}`, redis.url);
    return new Place(folder, redis);
  }

  /** Where Redis listens; `undefined` without one. */
  get redisUrl(): string | undefined {
    return this.redis?.url;
  }

  /** Kills Redis and starts it again on the same data. */
  async restartRedis(): Promise<void> {
    await this.redis?.kill();
    await this.redis?.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.redis?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Opens a process's own connection to the backend at a place. */
export async function openBackend(backend: string, folder: string, lease?: number): Promise<Backend> {
  switch (backend) {
    case "memory":
      return new MemoryBackend();
    case "kv":
      return await DenoKvBackend.open({ path: `${folder}/jobs.kv`, lease });
    case "redis":
      return await BullMqBackend.connect({ redis: await Deno.readTextFile(`${folder}/${URL_FILE}`), lease });
    default:
      throw new Error(`There is no backend ${JSON.stringify(backend)}. Choose one of: ${BACKENDS.join(", ")}.`);
  }
}
