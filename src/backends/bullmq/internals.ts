/**
 * Every use of what BullMQ and ioredis do not promise: private members, members that are replaced, and scripts that are
 * changed. Each is looked up by name when the libraries are loaded or when an object is made, and a version without it
 * is an error that names it.
 *
 * @module
 */
import type { IRedisTransaction, Job, Worker } from "bullmq";
import type { Redis } from "ioredis";
// A peer of BullMQ. If only an `import()` named it, `deno check` without a lock file, as in every new folder, would
// resolve npm:bullmq a second time and find no types for it (Deno 2.9).
import type {} from "pg";
import { internalOf, MissingInternal } from "../../libraries/internals.ts";

/** BullMQ's module, which is loaded when the backend connects. */
export type BullMq = typeof import("bullmq");

/** The class of ioredis, which is loaded with BullMQ. */
export type RedisClass = typeof import("ioredis").Redis;

/** Loads both libraries. Rejects with `MissingInternal` if one lacks what is used here. */
export async function loadLibraries(): Promise<{ readonly bullmq: BullMq; readonly Redis: RedisClass }> {
  const [bullmq, { Redis }] = await Promise.all([import("bullmq"), import("ioredis")]);
  checkBullMq(bullmq);
  checkIoRedis(Redis);
  return { bullmq, Redis };
}

/** The scripts with which a worker takes jobs, moves them and recovers those of dead workers: all go by a clock. */
const CLOCK_SCRIPTS = ["moveToActive", "moveToFinished", "moveToDelayed", "moveStalledJobsToWait", "retryJob"];

/** Those of them that queue delayed jobs that are due. */
const PROMOTING_SCRIPTS = ["moveToActive", "moveToFinished", "retryJob"];

/** The parts of BullMQ that are looked up. */
export type CheckedBullMq = Pick<BullMq, "Job" | "RedisConnection" | "RedisQueueBackend" | "Worker">;

/** Throws `MissingInternal` if BullMQ lacks what is used here. */
export function checkBullMq({ Job, RedisConnection, RedisQueueBackend, Worker }: CheckedBullMq): void {
  retryMethodsOf(Worker.prototype);
  internalOf("bullmq", "Job", Job.prototype, "addJob", isFunction);
  internalOf("bullmq", "RedisQueueBackend", RedisQueueBackend.prototype, "waitForJob", isFunction);
  const scripts = scriptTexts(RedisConnection);
  for (const name of CLOCK_SCRIPTS) {
    const hasClock = TIMESTAMP.test(scripts.get(name) ?? "");
    if (!hasClock) throw new MissingInternal("bullmq", `script ${name} with an argument called timestamp`);
  }
  for (const name of PROMOTING_SCRIPTS) {
    const promotes = PROMOTED.test(scripts.get(name) ?? "");
    if (!promotes) throw new MissingInternal("bullmq", `script ${name} that promotes delayed jobs by their priority`);
  }
}

/** Throws `MissingInternal` if ioredis lacks what is used here. */
export function checkIoRedis(Redis: RedisClass): void {
  for (const name of ["connect", "disconnect", "duplicate", "defineCommand", "multi"]) {
    internalOf("ioredis", "Redis", Redis.prototype, name, isFunction);
  }
}

/** The texts of BullMQ's scripts: those that it would define on a connection. */
function scriptTexts({ prototype }: BullMq["RedisConnection"]): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const defineCommand = (name: string, { lua }: { readonly lua: string }) => texts.set(name.split(":")[0] ?? "", lua);
  const load = internalOf("bullmq", "RedisConnection", prototype, "loadCommands", isFunction);
  try {
    Reflect.apply(load, { _client: { defineCommand } }, ["check"]);
  } catch {
    // As if it had defined none.
  }
  if (texts.size === 0) throw new MissingInternal("bullmq", "RedisConnection.loadCommands that uses _client");
  return texts;
}

/** The private methods with which a worker of BullMQ calls Redis and handles errors; they can be replaced. */
export interface RetryMethods {
  retryIfFailed<T>(act: () => Promise<T>, options: unknown): Promise<T>;
  checkConnectionError<T>(act: () => Promise<T>, delay?: number): Promise<T | undefined>;
}

/** The retry methods of a worker: the same object, under a type that shows them. */
export function retryMethodsOf(worker: Worker): RetryMethods {
  for (const name of ["retryIfFailed", "checkConnectionError"]) {
    internalOf("bullmq", "Worker", worker, name, isFunction);
  }
  return worker as unknown as RetryMethods;
}

/** A transaction of ours, as far as BullMQ uses it to add a job. */
interface ScriptTransaction {
  runCommand(name: string, args: readonly (string | number)[]): unknown;
}

/** Makes a job add its scripts to a transaction. */
export async function addJobTo(job: Job, transaction: ScriptTransaction): Promise<void> {
  await job.addJob(transaction as unknown as IRedisTransaction);
}

/** How the comments of BullMQ's scripts name the argument that is the caller's clock. */
const TIMESTAMP = /^\s*ARGV\[(\d+)\]\s+timestamp\s*$/m;

/**
 * Changes a script of BullMQ so that it goes by Redis's clock. By itself each worker goes by its own: one whose clock
 * is fast takes delayed jobs too early and stores retry times that others have to wait for; one whose clock is slow
 * takes them too late and stores an end that lies before the start.
 */
export function byRedisClock(lua: string): string {
  const [, index] = lua.match(TIMESTAMP) ?? [];
  if (index === undefined) return lua; // It uses no clock.
  return `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead = now - tonumber(ARGV[${index}])
ARGV[${index}] = string.format("%d", now)

local function script()
${lua}
end

local reply = script()
-- The last part of a reply about the next job is when a delayed one is due. The worker compares it with its own clock.
if type(reply) == "table" and type(reply[4]) == "number" and reply[4] > 0 then reply[4] = reply[4] - ahead end
return reply`;
}

/** The field that we add to a job of BullMQ's: the number of its run that was parked last. */
export const PARKED = "mcp-jobs:parked";

/** How BullMQ's scripts queue a delayed job that is due: behind all others, or behind all of its priority. */
const PROMOTED =
  /(tonumber\(rcall\("HGET", jobKey, "priority"\)\) or 0\s+)(if priority == 0 then\s[^\n]*\s+rcall\("LPUSH", targetKey, jobId\))/;

/** Changes a script of BullMQ so that a parked job that is due comes before those that never ran. */
export function parkedFirst(lua: string): string {
  return lua.replace(PROMOTED, (_, priority, queue) =>
    `${priority}
            local run = rcall("HMGET", jobKey, "ats", "${PARKED}")
            if run[1] and run[1] == run[2] then
                if priority == 0 then rcall("RPUSH", targetKey, jobId)
                else rcall("ZADD", prioritizedKey, priority * 0x100000000, jobId) end
            else${queue}`);
}

/** Makes all scripts that BullMQ will define on a connection go by Redis's clock, and promote parked jobs first. */
export function useOurRules(connection: Redis): Redis {
  const define = connection.defineCommand.bind(connection);
  connection.defineCommand = (name, { lua, ...script }) =>
    define(name, { ...script, lua: byRedisClock(parkedFirst(lua)) });
  return connection;
}

/** Makes a worker ask Redis what is due, not its own clock. With delayed jobs it waits no longer than without. */
export function askRedisWhatIsDue(worker: Worker): void {
  const { drainDelay = Infinity } = worker.opts;
  const backend = worker.getBackend();
  const wait = backend.waitForJob.bind(backend);
  backend.waitForJob = async (seconds) => {
    const marker = await wait(Math.min(seconds, drainDelay));
    return marker && { ...marker, score: 0 };
  };
}

/**
 * Makes a connection safe to close at any time. If ioredis 6.0 is told to disconnect between two attempts to connect,
 * it drops the next attempt but never reports the end; so its status is set to "not connected yet" before. And a
 * connection that has ended already would start a timer that nobody stops.
 */
export function closable(connection: Redis): Redis {
  internalOf("ioredis", "Redis", connection, "status", isString);
  const disconnect = connection.disconnect.bind(connection);
  connection.disconnect = (reconnect) => {
    if (connection.status === "end") return;
    if (connection.status === "reconnecting" && !reconnect) connection.status = "wait";
    disconnect(reconnect);
  };
  return connection;
}

/**
 * Closes a connection for good, and waits until it is closed. BullMQ would open it again if it has just noticed that
 * Redis does not answer, and then wait for an answer; so connecting is refused.
 */
export async function closeForGood(connection: Redis): Promise<void> {
  connection.connect = () => Promise.reject(new Error("Connection is closed.")); // BullMQ knows this text of ioredis.
  if (connection.status === "end") return;
  const ended = new Promise<void>((resolve) => connection.once("end", resolve));
  connection.disconnect();
  await ended;
}

/**
 * Makes an object of BullMQ that duplicates a connection for itself, and returns the duplicate too: BullMQ cannot close
 * one that was never connected.
 */
export function withDuplicate<T>(connection: Redis, make: () => T): readonly [made: T, duplicate: Redis] {
  const duplicates: Redis[] = [];
  const duplicate = connection.duplicate.bind(connection);
  connection.duplicate = (options) => {
    const made = closable(duplicate(options));
    duplicates.push(made);
    return made;
  };
  const made = make();
  connection.duplicate = duplicate;
  const [first] = duplicates;
  if (first === undefined) throw new MissingInternal("bullmq", "Worker that duplicates its connection");
  return [made, first];
}

/** The socket of a connection. */
export function socketOf(connection: Redis): { destroy(): void } {
  return internalOf("ioredis", "Redis", connection, "stream", isSocket);
}

/** A script that is defined on a connection. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly numberOfKeys: number;
}

/** The scripts that are defined on a connection, as it keeps them itself. */
export function scriptsOn(connection: Redis): (name: string) => Script {
  const scripts = internalOf("ioredis", "Redis", connection, "scriptsSet", isObject);
  return (name) => {
    if (!Object.hasOwn(scripts, name)) throw new Error(`Cannot run script "${name}": it is not defined.`);
    return internalOf("ioredis", "Redis.scriptsSet", scripts, name, isScript);
  };
}

/** The same connection without its scripts. ioredis would copy all of them into every transaction. */
export function withoutScripts(connection: Redis): Redis {
  return Object.create(connection, { scriptsSet: { value: {} } });
}

/** Why a transaction was aborted: the first error of its commands, which ioredis attaches to its own. */
export function abortReason(error: unknown): unknown {
  const errors: unknown = isObject(error) ? Reflect.get(error, "previousErrors") : undefined;
  return Array.isArray(errors) && errors.length > 0 ? errors[0] : error;
}

function isFunction(value: unknown): value is (...args: never[]) => unknown {
  return typeof value === "function";
}

function isString(value: unknown): value is string {
  return typeof value === "string";
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function isSocket(value: unknown): value is { destroy(): void } {
  return isObject(value) && isFunction(Reflect.get(value, "destroy"));
}

function isScript(value: unknown): value is Script {
  if (!isObject(value)) return false;
  return isString(Reflect.get(value, "lua")) && isString(Reflect.get(value, "sha")) &&
    typeof Reflect.get(value, "numberOfKeys") === "number";
}
