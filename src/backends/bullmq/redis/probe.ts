/**
 * Checks once, on connecting, that Redis has and permits all that a backend and its workers need. Later only a worker
 * would notice a missing permission, and could do nothing about it.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { messageOf } from "../../../text.ts";
import { refuseFormat } from "../../shared/refusals.ts";
import { FORMAT, ownPrefix, signalChannel } from "./keys.ts";

/**
 * The commands in scripts, BullMQ's and ours, each with its arguments after the key. None changes existing data, and
 * what one creates is deleted in the same script.
 */
export const IN_SCRIPTS: readonly string[] = `
  DEL, EXISTS, GET, HDEL f, HEXISTS f, HGET f, HGETALL, HINCRBY f 1, HMGET f, HMSET f v, HSET f v, INCR, LINDEX 0, LLEN,
  LPOS v, LPUSH v, LRANGE 0 0, LREM 0 v, LTRIM 0 0, PERSIST, PEXPIRE 1, PTTL, RPUSH v, SADD v, SCARD, SET v, SMEMBERS, SREM v,
  XADD * f v, XTRIM MAXLEN 0, ZADD 0 v, ZCARD, ZPOPMIN, ZRANGE 0 0, ZRANGEBYLEX - +, ZRANGEBYSCORE 0 0, ZREM v,
  ZREMRANGEBYRANK 0 0, ZREMRANGEBYSCORE 0 0, ZREVRANGE 0 0, ZREVRANGEBYLEX + -, ZREVRANGEBYSCORE 0 0, ZSCORE v
`.trim().split(/,\s+/);

/** ARGV: the commands, as JSON. Returns each that failed, with its error. */
const TRY_ALL = `
local failed = {}
local function try(name, ...)
  local reply = redis.pcall(name, ...)
  if type(reply) == "table" and reply.err then table.insert(failed, { name, reply.err }) end
end
for _, trial in ipairs(cjson.decode(ARGV[1])) do
  try(trial[1], KEYS[1], unpack(trial, 2))
  redis.pcall("DEL", KEYS[1])
end
try("RPOPLPUSH", KEYS[1], KEYS[1])
try("TIME")
return failed`;

/** A command that failed, and its error. */
type Failed = readonly [command: string, error: string];

/** What is used of Redis's INFO. */
interface ServerInfo {
  readonly cluster: boolean;
  readonly sentinel: boolean;
  /** Its maxmemory-policy: what it does when its memory is full. */
  readonly policy?: string;
}

/** The only policy with which Redis never deletes what it has acknowledged. */
const NO_EVICTION = "noeviction";

/**
 * Tries every command in one round trip. Rejects with an error that names what is missing and how to allow it. Resolves
 * with a warning if Redis may delete tasks when its memory is full. Rejects for data in another format, too.
 */
export async function probe(client: Redis, prefix: string): Promise<string | undefined> {
  const { failed, info } = await tryAll(client, prefix);
  const { cluster, sentinel, policy } = parseInfo(info);
  if (sentinel) {
    throw new Error("it is a Redis Sentinel, which is not supported: connect to the master, by a name or a proxy");
  }
  if (failed.some(([, error]) => error.startsWith("READONLY "))) {
    throw new Error("it is a replica, which can only be read: connect to its master, by a name or a proxy");
  }
  const problem = missing(failed, { user: client.options.username ?? "default", prefix });
  if (problem !== undefined) throw new Error(problem);
  if (cluster) {
    throw new Error(
      "it is a node of a Redis Cluster, which is not supported: use a Redis that is not in cluster mode",
    );
  }
  const format = await client.get(`${ownPrefix(prefix)}format`);
  if (format !== null) refuseFormat(format, FORMAT);
  const configured = policy ?? await configuredPolicy(client);
  if (configured === undefined || configured === NO_EVICTION) return undefined;
  return `Redis may delete tasks when its memory is full: its maxmemory-policy is "${configured}". Set it to "${NO_EVICTION}".`;
}

/** Returns Redis's errors of any kind; `missing` picks those that matter. Rejects if the connection is lost. */
async function tryAll(client: Redis, prefix: string): Promise<{ readonly failed: Failed[]; readonly info: string }> {
  const key = `${ownPrefix(prefix)}probe`;
  const channel = signalChannel(prefix);
  const trials = JSON.stringify(IN_SCRIPTS.map((trial) => trial.split(" ")));
  const failed: Failed[] = [];
  const attempt = async <T>(command: string, reply: Promise<T>): Promise<T | undefined> => {
    try {
      return await reply;
    } catch (error) {
      // Only a reply of Redis says what it permits: any other error means that the connection was lost.
      if (!(error instanceof Error) || error.name !== "ReplyError") throw error;
      failed.push([command, messageOf(error)]);
    }
  };
  const [info, inScripts] = await Promise.all([
    attempt("INFO", client.info()),
    attempt("EVAL", client.eval(TRY_ALL, 1, key, trials) as Promise<readonly Failed[]>),
    attempt("EVALSHA", client.evalsha("0".repeat(40), 0)), // An unknown script: the error says so.
    attempt("MULTI", client.multi({ pipeline: false })),
    attempt("XREAD", client.xread("COUNT", 1, "STREAMS", key, "0-0")),
    attempt("XRANGE", client.xrange(key, "-", "+", "COUNT", 1)),
    attempt("XREVRANGE", client.xrevrange(key, "+", "-", "COUNT", 1)),
    attempt("BZPOPMIN", client.bzpopmin(key, 0.01)), // Inside a transaction it does not block.
    attempt("EXEC", client.exec()),
    attempt("PUBLISH", client.publish(channel, "probe")),
    attempt("SUBSCRIBE", client.subscribe(channel)),
    attempt("UNSUBSCRIBE", client.unsubscribe(channel)),
  ]);
  return { failed: [...failed, ...inScripts ?? []], info: info ?? "" };
}

/** Redis's errors for a command that it does not have, or that this user may not run. */
const UNKNOWN = /unknown (redis )?command/i;
const REFUSED = /NOPERM|can't run this command|can't access at least one|can't publish to|no permissions/i;

/** Says what is missing and how to allow it; `undefined` if nothing is. */
export function missing(
  failed: readonly Failed[],
  { user, prefix }: { readonly user: string; readonly prefix: string },
): string | undefined {
  const unknown = failed.filter(([, error]) => UNKNOWN.test(error)).map(([command]) => command);
  if (unknown.length > 0) return `it does not know ${unknown.join(", ")}: use Redis 6.2 or later`;
  const rules = new Map<string, string>();
  for (const [command, error] of failed) {
    if (!REFUSED.test(error)) continue;
    if (/channel/i.test(error)) rules.set(`&${signalChannel(prefix)}`, `the channel ${signalChannel(prefix)}`);
    else if (/\bkeys?\b/i.test(error)) rules.set(`~${prefix}:*`, `the keys ${prefix}:*`);
    else rules.set(`+${command.toLowerCase()}`, command);
  }
  if (rules.size === 0) return undefined;
  const lacking = [...rules.values()].join(", ");
  return `the user "${user}" lacks permissions that the backend and its workers need: ${lacking}. ` +
    `Allow them: ACL SETUSER ${user} ${[...rules.keys()].join(" ")} (docs/bullmq.md lists all permissions)`;
}

/** Reads the reply to INFO of a Redis, or of a Valkey, which calls its mode `server_mode`. */
export function parseInfo(info: string): ServerInfo {
  const field = (name: string) => info.match(new RegExp(`^${name}:(.*?)\\r?$`, "m"))?.[1];
  const mode = field("redis_mode") ?? field("server_mode");
  return {
    cluster: field("cluster_enabled") === "1" || mode === "cluster",
    sentinel: mode === "sentinel",
    policy: field("maxmemory_policy"),
  };
}

/** Some hosts leave the policy out of INFO. A user who may not read the configuration gets no warning. */
async function configuredPolicy(client: Redis): Promise<string | undefined> {
  const [, policy] = await client.config("GET", "maxmemory-policy").catch(() => []) as string[]; // As said above.
  return policy;
}
