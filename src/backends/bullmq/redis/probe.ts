/**
 * What a backend and its workers need of a Redis, tried once when it connects. Later a missing permission would be told
 * to nobody but a worker that can do nothing about it.
 *
 * @module
 */
import type { Redis } from "ioredis";
import { messageOf } from "../../../text.ts";

/**
 * What scripts do, BullMQ's and ours: each command with what follows the key. None changes anything that is there, and
 * whatever one makes is deleted in the same script.
 */
export const IN_SCRIPTS: readonly string[] = `
  DEL, EXISTS, GET, HDEL f, HEXISTS f, HGET f, HGETALL, HINCRBY f 1, HMGET f, HMSET f v, HSET f v, INCR, LLEN, LPOS v,
  LPUSH v, LRANGE 0 0, LREM 0 v, LTRIM 0 0, PERSIST, PEXPIRE 1, PTTL, RPUSH v, SADD v, SCARD, SET v, SMEMBERS, SREM v,
  XADD * f v, XTRIM MAXLEN 0, ZADD 0 v, ZCARD, ZPOPMIN, ZRANGE 0 0, ZRANGEBYLEX - +, ZRANGEBYSCORE 0 0, ZREM v,
  ZREMRANGEBYRANK 0 0, ZREMRANGEBYSCORE 0 0, ZREVRANGE 0 0, ZREVRANGEBYLEX + -, ZREVRANGEBYSCORE 0 0, ZSCORE v
`.trim().split(/,\s+/);

/** ARGV: the trials, as JSON. Gives the command and the error of each that failed. */
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

/** A command, and what was wrong with it. */
type Failed = readonly [command: string, error: string];

/** What a Redis tells of itself, as far as it concerns us. */
interface About {
  readonly cluster: boolean;
  /** What it does when its memory is full, in its own word. */
  readonly policy?: string;
}

/** The only policy with which Redis deletes nothing that it has acknowledged. */
const KEEPS_ALL = "noeviction";

/**
 * Tries all that is needed, in one round trip. Rejects with an error that names what is missing and how to allow it.
 * Resolves with a warning, where there is one: Redis may delete tasks when its memory is full.
 */
export async function probe(client: Redis, prefix: string): Promise<string | undefined> {
  const { failed, info } = await tryAll(client, prefix);
  const lacks = missing(failed, { user: client.options.username ?? "default", prefix });
  if (lacks !== undefined) throw new Error(lacks);
  const { cluster, policy = await configuredPolicy(client) } = about(info);
  if (cluster) {
    throw new Error(
      "it is a node of a Redis Cluster, which is not supported: take a Redis that is not in cluster mode",
    );
  }
  if (policy === undefined || policy === KEEPS_ALL) return undefined;
  return `Redis may delete tasks when its memory is full: its maxmemory-policy is "${policy}". Set it to "${KEEPS_ALL}".`;
}

/** The errors may be of any kind; which of them tell of something that is missing says `missing`. */
async function tryAll(client: Redis, prefix: string): Promise<{ readonly failed: Failed[]; readonly info: string }> {
  const key = `${prefix}:mcp-jobs:probe`;
  const channel = signalsOf(prefix);
  const trials = JSON.stringify(IN_SCRIPTS.map((trial) => trial.split(" ")));
  const failed: Failed[] = [];
  const told = async <T>(command: string, answer: Promise<T>): Promise<T | undefined> => {
    try {
      return await answer;
    } catch (error) {
      failed.push([command, messageOf(error)]);
    }
  };
  const [info, inScripts] = await Promise.all([
    told("INFO", client.info()),
    told("EVAL", client.eval(TRY_ALL, 1, key, trials) as Promise<readonly Failed[]>),
    told("EVALSHA", client.evalsha("0".repeat(40), 0)), // Redis does not know it, and says so.
    told("MULTI", client.multi({ pipeline: false })),
    told("XREAD", client.xread("COUNT", 1, "STREAMS", key, "0-0")),
    told("XRANGE", client.xrange(key, "-", "+", "COUNT", 1)),
    told("XREVRANGE", client.xrevrange(key, "+", "-", "COUNT", 1)),
    told("BZPOPMIN", client.bzpopmin(key, 0.01)), // Within a transaction it does not block.
    told("EXEC", client.exec()),
    told("PUBLISH", client.publish(channel, "probe")),
    told("SUBSCRIBE", client.subscribe(channel)),
    told("UNSUBSCRIBE", client.unsubscribe(channel)),
  ]);
  return { failed: [...failed, ...inScripts ?? []], info: info ?? "" };
}

/** The channel of the signals that are told to all processes. */
export function signalsOf(prefix: string): string {
  return `${prefix}:mcp-jobs:signals`;
}

/** What Redis says of a command that it does not have, or does not let this user run. */
const UNKNOWN = /unknown (redis )?command/i;
const REFUSED = /NOPERM|can't run this command|can't access at least one|can't publish to|no permissions/i;

/** Says what is missing, and how to allow it; `undefined` where nothing is. */
export function missing(
  failed: readonly Failed[],
  { user, prefix }: { readonly user: string; readonly prefix: string },
): string | undefined {
  const unknown = failed.filter(([, error]) => UNKNOWN.test(error)).map(([command]) => command);
  if (unknown.length > 0) return `it does not know ${unknown.join(", ")}: take Redis 6.2 or later`;
  const rules = new Map<string, string>();
  for (const [command, error] of failed) {
    if (!REFUSED.test(error)) continue;
    if (/channel/i.test(error)) rules.set(`&${signalsOf(prefix)}`, `the channel ${signalsOf(prefix)}`);
    else if (/\bkeys?\b/i.test(error)) rules.set(`~${prefix}:*`, `the keys ${prefix}:*`);
    else rules.set(`+${command.toLowerCase()}`, command);
  }
  if (rules.size === 0) return undefined;
  return `the user "${user}" lacks permissions that the backend and its workers need: ${
    [...rules.values()].join(", ")
  }. ` +
    `Allow them: ACL SETUSER ${user} ${[...rules.keys()].join(" ")} (docs/bullmq.md lists all permissions)`;
}

function about(info: string): About {
  const field = (name: string) => info.match(new RegExp(`^${name}:(.*?)\\r?$`, "m"))?.[1];
  return {
    cluster: field("cluster_enabled") === "1" || field("redis_mode") === "cluster",
    policy: field("maxmemory_policy"),
  };
}

/** Some hosts leave it out of INFO. Who may not ask for it goes without a warning. */
async function configuredPolicy(client: Redis): Promise<string | undefined> {
  const [, policy] = await client.config("GET", "maxmemory-policy").catch(() => []) as string[];
  return policy;
}
