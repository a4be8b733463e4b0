/**
 * A Redis or a PostgreSQL of a test's own, to be taken away and brought back.
 *
 * @module
 */
import { type Backend, BullMqBackend, PostgresBackend } from "../../../mod.ts";
import { noOwnPostgres, PostgresServer } from "../../../tools/postgres_server.ts";
import { noOwnRedis, RedisServer } from "../../../tools/redis_server.ts";
import { emptyTables, ownPostgres } from "../../support/postgres.ts";
import { testUnless } from "../../support/test_unless.ts";

/** Short, so that a dead worker is noticed soon. */
const LEASE = 900;

/** A database server that keeps what it was told. */
export interface Outage extends AsyncDisposable {
  /** Another connection to it, whose workers have a lease of so many ms. */
  connect(lease?: number): Promise<Backend>;
  /** Ends it with SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again. */
  start(): Promise<void>;
  /** Stops it from answering while its connections stay open, as a lost network would; and lets it go on. */
  signal(signal: "SIGSTOP" | "SIGCONT"): Promise<void> | void;
}

async function startRedis(): Promise<Outage> {
  const server = await RedisServer.start({ persistent: true });
  return toOutage(server, (lease = LEASE) => BullMqBackend.connect({ redis: server.url, lease }));
}

async function startPostgres(): Promise<Outage> {
  const server = await PostgresServer.startOwn();
  const url = await server.makeDatabase();
  await PostgresBackend.migrate({ url });
  return toOutage(server, (lease = LEASE) => PostgresBackend.connect({ url, lease }));
}

/** The one of this process. */
async function takePostgres(): Promise<Outage> {
  if (ownPostgres === undefined) throw new Error("There is no PostgreSQL here that can be stopped. Install it.");
  const server = ownPostgres;
  const url = await emptyTables(server);
  return {
    ...toOutage(server, (lease = LEASE) => PostgresBackend.connect({ url, lease })),
    [Symbol.asyncDispose]: () => Promise.resolve(), // It ends with the process.
  };
}

function toOutage(server: Omit<Outage, "connect">, connect: Outage["connect"]): Outage {
  return {
    connect,
    kill: () => server.kill(),
    start: () => server.start(),
    signal: (signal) => server.signal(signal),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Registers a case that holds on Redis and on PostgreSQL. */
export function onBoth(name: string, fn: (server: Outage) => Promise<void>): void {
  onRedis(name, fn);
  testUnless(noOwnPostgres, `PostgreSQL: ${name}`, () => run(startPostgres, fn));
}

/** Registers such a case that kills no server, but only stops it for a while. */
export function onBothUnkilled(name: string, fn: (server: Omit<Outage, "kill" | "start">) => Promise<void>): void {
  onRedis(name, fn);
  testUnless(noOwnPostgres, `PostgreSQL: ${name}`, () => run(takePostgres, fn));
}

/** Registers a case that holds on Redis. */
export function onRedis(name: string, fn: (server: Outage) => Promise<void>): void {
  testUnless(noOwnRedis, `Redis: ${name}`, () => run(startRedis, fn));
}

async function run(start: () => Promise<Outage>, fn: (server: Outage) => Promise<void>): Promise<void> {
  await using server = await start();
  await fn(server);
}
