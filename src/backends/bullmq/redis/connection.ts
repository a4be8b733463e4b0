/**
 * The connection to Redis that calls share, and the settings of those that wait while Redis is away.
 *
 * @module
 */
import type { Redis, RedisOptions } from "ioredis";
import { BackendError, DefinitionError } from "../../../errors.ts";
import type { OnError } from "../../../log/on_error.ts";
import { writeLine } from "../../../log/stderr.ts";
import { messageOf } from "../../../text.ts";
import { inTime } from "../../shared/deadline.ts";
import { closable, closeForGood, discreet, type RedisClass, writesTogether } from "../internals.ts";
import { withHeartbeat } from "./heartbeat.ts";
import { probe } from "./probe.ts";

/** How long an attempt to connect again may take, in ms. */
const CONNECT_MS = 1_500;

/** How long the first connection may take, the probe included, in ms. */
const OPEN_MS = 2_000;

/** How long a closing connection waits for Redis to close it, too, in ms. */
const DISCONNECT_MS = 500;

/** The longest pause before a Redis that is loading its data is tried again, in ms. */
const LOADING_MS = 100;

const ENCODE = "Percent-encode special characters of the password.";

const CHECK = "Check the address, which begins with rediss:// for TLS, and the password, and that Redis runs there.";

/** What to do about a failure, by its text. */
const ADVICE: readonly (readonly [when: RegExp, advice: string])[] = [
  [/certificate/, "Let Deno trust the certificate of its authority: deno run --cert FILE, or DENO_CERT=FILE."],
  [/^URI malformed$/, ENCODE],
  [/^getaddrinfo EPERM|^Requires net access/, "Give Deno the permission --allow-net=<host>:<port>."],
];

/**
 * Connects, for calls that fail at once while Redis is away. Rejects with `BackendError`, whose text holds no password,
 * if Redis is not there or lacks what will be needed, and with `DefinitionError` for what is no URL of a Redis.
 */
export async function connect(Redis: RedisClass, url: string, prefix: string, onError: OnError): Promise<Redis> {
  const address = URL.parse(url);
  // The path is the number of the database.
  if (address === null || !/^rediss?:$/.test(address.protocol) || !/^\/?\d*$/.test(address.pathname)) {
    // The text leaves out a URL that cannot be parsed, because it may hold a password.
    throw new DefinitionError(
      "Cannot connect to Redis: its address must be a URL like redis://user:password@host:6379/0. " + ENCODE,
    );
  }
  try {
    return await open(Redis, url, prefix, onError);
  } catch (cause) {
    const { protocol, host, pathname } = address;
    const why = messageOf(cause).replace(/\.$/, "");
    const [, advice = CHECK] = ADVICE.find(([when]) => when.test(why)) ?? [];
    throw new BackendError(`Cannot connect to Redis at ${protocol}//${host}${pathname}: ${why}. ${advice}`, { cause });
  }
}

async function open(Redis: RedisClass, url: string, prefix: string, onError: OnError): Promise<Redis> {
  let connected = false;
  const client = tended(
    new Redis<"legacy">(url, {
      lazyConnect: true,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      connectTimeout: 0, // ioredis would take a pause of this process for a silent Redis.
      disconnectTimeout: DISCONNECT_MS,
      maxLoadingRetryTime: LOADING_MS,
      reconnectOnError: isFromReplica,
      // The first attempt is the only one. Once connected, it reconnects for ever.
      retryStrategy: (times) => connected ? Math.min(50 * times, 500) : null,
    }),
  );
  // Each call reports its own failure. This is why there is no connection.
  let reason: unknown;
  client.on("error", (error) => {
    reason = error;
    if (connected) onError(error, { where: "connect to Redis" });
  });
  const opening = client.connect().catch((error) => {
    throw reason ?? error;
  });
  try {
    const { db = 0 } = client.options;
    // If Redis does not have the database, ioredis silently uses database 0.
    const selected = opening.then(() => db === 0 ? "OK" : client.select(db));
    const warning = await inTime(selected.then(() => probe(client, prefix)), "it has not answered in time", OPEN_MS);
    // A connection that is lost so early is not made again.
    if (client.status !== "ready") throw reason ?? new Error("the connection was lost");
    if (warning !== undefined) writeLine(`mcp-jobs: ${warning}`);
  } catch (error) {
    await closeForGood(client);
    throw error;
  }
  connected = true;
  client.options.connectTimeout = CONNECT_MS; // From now on a slow attempt is followed by others.
  return client;
}

/** The settings of connections that wait until Redis is back, and lose nothing. */
const WAITING: Partial<RedisOptions> = {
  lazyConnect: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResubscribe: false,
  reconnectOnError: (error) => isFromReplica(error) && 2, // 2: the command is sent again.
};

/** Opens another connection to the same Redis, which waits while Redis is away and reconnects for ever. */
export function openWaiting(client: Redis): Redis {
  // Without the type argument, the compiler takes 2 s to infer it.
  const connection = tended(client.duplicate<Partial<RedisOptions>>(WAITING));
  connection.on("error", () => {}); // Whoever uses it reports its failures.
  return connection;
}

/** A new connection with all that each of ours needs. */
function tended(connection: Redis): Redis {
  return withHeartbeat(writesTogether(discreet(closable(connection))));
}

/** Throws where a command would wait until Redis is back, or fail with a text about options of ioredis. */
export function refuseAway({ status }: { readonly status: string }): void {
  if (status !== "ready") throw new Error("Redis is not connected.");
}

/** Whether a replica has refused to write: after a failover, an old connection leads to the former master. */
export function isFromReplica(error: Error | undefined): boolean {
  return error?.message.includes("READONLY You can't write") ?? false;
}
