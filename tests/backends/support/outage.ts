/**
 * A Redis or a PostgreSQL of a test's own, to be taken away and brought back.
 *
 * @module
 */
import { BullMqBackend, type BullMqOptions } from "../../../mod.ts";
import { hasPostgresServer, PostgresServer } from "../../../tools/postgres_server.ts";
import { hasRedisServer, RedisServer } from "../../../tools/redis_server.ts";
import { descendants } from "../../support/processes.ts";

/** Short, so that a dead worker is soon known as dead. */
const LEASE = 900;

/** A database server that keeps what it was told. */
export interface Outage extends AsyncDisposable {
  /** Another connection to it. */
  connect(): Promise<BullMqBackend>;
  /** Ends it with SIGKILL, or as soon as a crash would. */
  kill(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  /** Stops it from answering while its connections stay open, as a lost network would; and lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void>;
}

async function onRedis(): Promise<Outage> {
  const server = await RedisServer.start({ persistent: true });
  return toOutage(server, { redis: server.url }, (signal) => Promise.resolve(server.signal(signal)));
}

async function onPostgres(): Promise<Outage> {
  const server = await PostgresServer.startOwn();
  const postgres = await server.makeDatabase();
  await BullMqBackend.migrate({ postgres });
  return toOutage(server, { postgres }, async (signal) => {
    const { pid } = server;
    if (pid === undefined) return;
    for (const each of [pid, ...await descendants(pid)]) Deno.kill(each, signal);
  });
}

function toOutage(
  server: Pick<Outage, "kill" | "start"> & AsyncDisposable,
  options: BullMqOptions,
  signal: Outage["signal"],
): Outage {
  return {
    connect: () => BullMqBackend.connect({ ...options, lease: LEASE }),
    kill: () => server.kill(),
    start: () => server.start(),
    signal,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Registers a case that holds on either. */
export function onBoth(name: string, fn: (server: Outage) => Promise<void>): void {
  const either = [
    { where: "Redis", start: onRedis, missing: hasRedisServer ? undefined : "install redis-server" },
    {
      where: "PostgreSQL",
      start: onPostgres,
      missing: hasPostgresServer ? undefined : "install PostgreSQL 13 or later",
    },
  ];
  for (const { where, start, missing } of either) {
    Deno.test({
      name: `bullmq on ${where}: ${name}${missing === undefined ? "" : ` (left out: ${missing})`}`,
      ignore: missing !== undefined,
      fn: async () => {
        await using server = await start();
        await fn(server);
      },
    });
  }
}
