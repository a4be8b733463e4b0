/**
 * A place for the benchmark and the chaos run to work in: a folder that their processes share, and, for Redis and
 * PostgreSQL, a server of their own that stands beside it.
 *
 * @module
 */
import type { Backend } from "../src/backend.ts";
import { BullMqBackend } from "../src/backends/bullmq/mod.ts";
import { DenoKvBackend } from "../src/backends/kv/mod.ts";
import { MemoryBackend } from "../src/backends/memory/mod.ts";
import { PostgresBackend } from "../src/backends/postgres/mod.ts";
import type { Limits } from "../src/tasks/limits.ts";
import { RedisServer } from "./redis_server.ts";

/** The backends that a place can be made for. */
export const BACKENDS: readonly string[] = ["memory", "kv", "redis", "postgres"];

/** Those of them that several processes can share, of which the first is the default. */
export const SHARED_BACKENDS: readonly string[] = ["kv", "redis", "postgres"];

/** The limits of a server at a place: all its clients are one principal in a great hurry. */
export const NO_LIMITS: Limits = {
  openTasks: Infinity,
  creationsPerMinute: Infinity,
  readsPerMinute: Infinity,
  requestsPerMinute: Infinity,
};

const URL_FILE = "database.url";

/** The database server of a place. */
interface Database extends AsyncDisposable {
  readonly url: string;
  kill(): Promise<void>;
  start(): Promise<void>;
}

/** A folder, and what stands beside it. */
export class Place implements AsyncDisposable {
  private constructor(
    readonly folder: string,
    private readonly backend: string,
    private readonly database: Database | undefined,
  ) {}

  /**
   * Makes a place; with `persistent` what a Redis has answered survives `restartDatabase`, and with `fsync` a PostgreSQL
   * waits for the disk.
   */
  static async make(backend: string, { persistent = false, fsync = false } = {}): Promise<Place> {
    const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-" });
    const database = await startDatabase(backend, persistent, fsync);
    if (database) await Deno.writeTextFile(`${folder}/${URL_FILE}`, database.url);
    return new Place(folder, backend, database);
  }

  /** Whether a database server stands here, which may be killed. */
  get hasDatabase(): boolean {
    return this.database !== undefined;
  }

  /** Where Redis listens; `undefined` without one. */
  get redisUrl(): string | undefined {
    return this.backend === "redis" ? this.database?.url : undefined;
  }

  /** The database on PostgreSQL; `undefined` without one. */
  get postgresUrl(): string | undefined {
    return this.backend === "postgres" ? this.database?.url : undefined;
  }

  /** Kills the database server and starts it again on the same data, after `outage` ms. */
  async restartDatabase(outage = 0): Promise<void> {
    await this.database?.kill();
    await new Promise((resolve) => setTimeout(resolve, outage));
    await this.database?.start();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database?.[Symbol.asyncDispose]();
    await Deno.remove(this.folder, { recursive: true });
  }
}

async function startDatabase(backend: string, persistent: boolean, fsync: boolean): Promise<Database | undefined> {
  if (backend === "redis") return await RedisServer.start({ persistent });
  if (backend !== "postgres") return undefined;
  const { PostgresServer } = await import("./postgres_server.ts");
  const server = await PostgresServer.startOwn({ fsync });
  await PostgresBackend.migrate({ url: server.url });
  return server;
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
    case "postgres":
      return await PostgresBackend.connect({ url: await Deno.readTextFile(`${folder}/${URL_FILE}`), lease });
    default:
      throw new Error(`There is no backend ${JSON.stringify(backend)}. Choose one of: ${BACKENDS.join(", ")}.`);
  }
}
