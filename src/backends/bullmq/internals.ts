/**
 * Every use of what BullMQ and ioredis do not promise: private members, and members that are replaced;
 * redis/scripts/changed.ts has the scripts that are changed. Each is looked up by name when the libraries are loaded or when
 * an object is made, and a version without it is an error that names it.
 *
 * @module
 */
import type { IRedisTransaction, Job } from "bullmq";
import type { Redis } from "ioredis";
import { nextTick } from "node:process";
// A peer of BullMQ. If only an `import()` named it, `deno check` without a lock file, as in every new folder, would
// resolve npm:bullmq a second time and find no types for it (Deno 2.9).
import type {} from "pg";
import { internalOf, isFunction, isString, MissingInternal } from "../../libraries/internals.ts";
import type { Socket as ClosableSocket } from "../shared/cut_off.ts";
import { checkScripts } from "./redis/scripts/changed.ts";

/** BullMQ's module, which is loaded when the backend connects. */
export type BullMq = typeof import("bullmq");

/** The class of ioredis, which is loaded with BullMQ. */
export type RedisClass = typeof import("ioredis").Redis;

/** Loads both libraries. Rejects with `MissingInternal` if one lacks what is used here. */
export async function loadLibraries(): Promise<{ readonly bullmq: BullMq; readonly Redis: RedisClass }> {
  const { bullmq, Redis } = await import("../../libraries/bullmq.ts");
  checkBullMq(bullmq);
  checkIoRedis(Redis);
  return { bullmq, Redis };
}

/** The parts of BullMQ that are looked up. */
export type CheckedBullMq = Pick<BullMq, "Job" | "RedisConnection">;

/** Throws `MissingInternal` if BullMQ lacks what is used here. */
export function checkBullMq({ Job, RedisConnection }: CheckedBullMq): void {
  internalOf("bullmq", "Job", Job.prototype, "addJob", isFunction);
  checkScripts(scriptTexts(RedisConnection));
}

/** Throws `MissingInternal` if ioredis lacks what is used here. */
export function checkIoRedis(Redis: RedisClass): void {
  for (const name of ["connect", "disconnect", "duplicate", "defineCommand", "flushQueue", "multi", "sendCommand"]) {
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

/** A transaction of ours, as far as BullMQ uses it to add a job. */
interface ScriptTransaction {
  runCommand(name: string, args: readonly (string | number)[]): unknown;
}

/** Makes a job add its scripts to a transaction. */
export async function addJobTo(job: Job, transaction: ScriptTransaction): Promise<void> {
  await job.addJob(transaction as unknown as IRedisTransaction);
}

/**
 * Keeps the arguments of a command, which may be a password or the input of a task, from whoever prints its error: ioredis
 * adds them to each error, and `console.error` shows them.
 */
export function discreet(connection: Redis): Redis {
  const send = connection.sendCommand.bind(connection);
  connection.sendCommand = (command, stream) => {
    const { reject } = command;
    command.reject = (error) => {
      if ("command" in error) Object.defineProperty(error, "command", { enumerable: false });
      reject(error);
    };
    return send(command, stream);
  };
  return connection;
}

/**
 * Makes a connection safe to close at any time. If ioredis 6.0 is told to disconnect between two attempts to connect,
 * it drops the next attempt but never reports the end; so its status is set to "not connected yet" before. And a
 * connection that has ended already would start a timer that nobody stops.
 *
 * Each command that a replica refuses makes ioredis reconnect. It would listen for the end of the socket each time, and Node.js
 * warns of more than ten listeners.
 *
 * Commands that are under way when a connection is lost are kept, to be sent again. If it is closed while it connects
 * again, ioredis 6.0 rejects all others but forgets these, so their callers would wait for ever. Here they are rejected, too.
 */
export function closable(connection: Redis): Redis {
  internalOf("ioredis", "Redis", connection, "status", isString);
  const disconnect = connection.disconnect.bind(connection);
  let left: unknown; // The socket that it ends to reconnect.
  connection.disconnect = (reconnect) => {
    if (connection.status === "end") return;
    const socket: unknown = Reflect.get(connection, "stream"); // There is none before it connects.
    if (reconnect && socket !== undefined && socket === left) return;
    left = socket;
    if (connection.status === "reconnecting" && !reconnect) connection.status = "wait";
    disconnect(reconnect);
  };
  const flushQueue = internalOf("ioredis", "Redis", connection, "flushQueue", isFlush).bind(connection);
  const flush: Flush = (cause, options) => {
    const isLost = cause.name === "MaxRetriesPerRequestError"; // Its text is about an option of ioredis.
    const error = isLost ? new Error("The connection to Redis was lost before it answered.", { cause }) : cause;
    flushQueue(error, options);
    const kept: unknown = Reflect.get(connection, "prevCommandQueue"); // There is none before they are needed.
    if (!isCommands(kept)) return;
    for (let item = kept.shift(); item; item = kept.shift()) item.command.reject(error);
  };
  Reflect.set(connection, "flushQueue", flush);
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
  // Untyped: to compare two types of a connection, the compiler compares all commands of Redis, for a tenth of its time.
  const duplicate = internalOf("ioredis", "Redis", connection, "duplicate", isFunction);
  Object.assign(connection, {
    duplicate: (options: unknown) => {
      const made = discreet(closable(Reflect.apply(duplicate, connection, [options])));
      duplicates.push(made);
      return made;
    },
  });
  const made = make();
  Object.assign(connection, { duplicate });
  const [first] = duplicates;
  if (first === undefined) throw new MissingInternal("bullmq", "Worker that duplicates its connection");
  return [made, first];
}

/** The socket of a connection. */
export function socketOf(connection: Redis): Socket {
  return internalOf("ioredis", "Redis", connection, "stream", isSocket);
}

/**
 * Makes a connection send all commands of one turn of the event loop with one write to its socket: a write takes longer
 * than everything else that ioredis does for a command.
 */
export function writesTogether(connection: Redis): Redis {
  connection.on("connect", () => {
    const socket = socketOf(connection);
    const write = socket.write.bind(socket);
    socket.write = (chunk) => {
      if (socket.writableCorked === 0) {
        socket.cork();
        nextTick(() => socket.uncork());
      }
      return write(chunk);
    };
  });
  return connection;
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

/** Rejects the commands that wait to be sent or answered. */
type Flush = (error: Error, options?: object) => void;

function isFlush(value: unknown): value is Flush {
  return isFunction(value);
}

/** A queue of commands. */
interface Commands {
  shift(): { readonly command: { reject(error: Error): void } } | undefined;
}

function isCommands(value: unknown): value is Commands {
  return isObject(value) && isFunction(Reflect.get(value, "shift"));
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** What is used of a socket: ioredis itself passes only one argument to `write`. */
interface Socket extends ClosableSocket {
  readonly writableCorked: number;
  cork(): void;
  uncork(): void;
  write(chunk: string | Uint8Array): boolean;
}

function isSocket(value: unknown): value is Socket {
  return isObject(value) &&
    ["cork", "destroy", "resetAndDestroy", "uncork", "write"].every((name) => isFunction(Reflect.get(value, name)));
}

function isScript(value: unknown): value is Script {
  if (!isObject(value)) return false;
  return isString(Reflect.get(value, "lua")) && isString(Reflect.get(value, "sha")) &&
    typeof Reflect.get(value, "numberOfKeys") === "number";
}

/** The id of the BullMQ worker that has made a token: BullMQ adds a colon and a number to it. */
export function makerOf(token: string): string {
  return token.slice(0, Math.max(0, token.lastIndexOf(":")));
}
