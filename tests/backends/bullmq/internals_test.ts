import * as bullmq from "bullmq";
import { Redis } from "ioredis";
import { Writable } from "node:stream";
import { byRedisClock } from "../../../src/backends/bullmq/redis/scripts/changed.ts";
import {
  checkBullMq,
  type CheckedBullMq,
  checkIoRedis,
  closable,
  scriptsOn,
  socketOf,
  withDuplicate,
  writesTogether,
} from "../../../src/backends/bullmq/internals.ts";
import { MissingInternal } from "../../../src/libraries/internals.ts";
import { pause } from "../../../src/waiting.ts";
import { assertEquals, assertMatch, assertThrows } from "../../../tools/std.ts";

/** The error for a library that lacks `what`. */
function missing(library: string, what: string): RegExp {
  return new RegExp(`^Cannot use ${library} \\d+\\.\\d+\\.\\d+: it has no ${what}`);
}

function assertMissing(library: string, what: string, fn: () => unknown): void {
  assertMatch(assertThrows(fn, MissingInternal).message, missing(library, what));
}

/** A class whose prototype lacks a member that the original has. */
function without<T extends { readonly prototype: object }>(original: T, member: string): T {
  const prototype = Object.create(original.prototype, { [member]: { value: undefined } });
  return Object.create(original, { prototype: { value: prototype } });
}

/** A connection that never connects. */
const connection = () => new Redis({ lazyConnect: true });

Deno.test("the BullMQ and the ioredis that are installed have every internal that is used", () => {
  checkBullMq(bullmq);
  checkIoRedis(Redis);
});

const members: readonly [keyof CheckedBullMq, string][] = [
  ["Job", "addJob"],
  ["RedisConnection", "loadCommands"],
];

for (const [owner, member] of members) {
  Deno.test(`a BullMQ without ${owner}.${member} is an error that names library, version and member`, () => {
    const other = { ...bullmq, [owner]: without(bullmq[owner], member) };
    assertMissing("bullmq", `${owner}.${member}`, () => checkBullMq(other));
  });
}

for (const member of ["connect", "disconnect", "duplicate", "defineCommand", "flushQueue", "multi"]) {
  Deno.test(`an ioredis without Redis.${member} is an error that names library, version and member`, () => {
    assertMissing("ioredis", `Redis.${member}`, () => checkIoRedis(without(Redis, member)));
  });
}

/** A BullMQ that defines its scripts like this. */
function withLoad(loadCommands: (this: { _client: { defineCommand: (...args: unknown[]) => void } }) => void) {
  class RedisConnection extends bullmq.RedisConnection {}
  Object.defineProperty(RedisConnection.prototype, "loadCommands", { value: loadCommands });
  return { ...bullmq, RedisConnection };
}

Deno.test("a BullMQ whose scripts go by a clock that cannot be found is an error that names the script", () => {
  const other = withLoad(function () {
    this._client.defineCommand("moveToActive:7.0.0", { lua: "-- ARGV[2] token\nreturn 1" });
  });
  assertMissing("bullmq", "script moveToActive with an argument called timestamp", () => checkBullMq(other));
});

/** What of a script may change in a later BullMQ: the script, how it would change, and what would be missing. */
const changes: readonly [script: string, from: string, to: string, missing: string][] = [
  ["retryJob", "LPUSH", "RPUSH", "that promotes delayed jobs by their priority"],
  ["moveToDelayed", "the id of the job", "the job", "with the arguments that name its job"],
  ["moveToFinished", "target (completed/failed)", "target", "with the arguments that name its job"],
  [
    "moveToActive",
    "return false, queueAttributes[3]",
    "return nil, queueAttributes[3]",
    "that tells whether its queue is full",
  ],
  [
    "moveToFinished",
    "addBaseMarkerIfNeeded(markerKey, false)",
    "addBaseMarkerIfNeeded(markerKey)",
    "that sets a marker when it has taken a job",
  ],
  ["moveToActive", '"ats", 1', '"ats", 2', "that counts how often a job has started"],
  ["extendLocks", '"GET", lockKey', '"GET", lock', "that reads the lock of its job"],
  ["moveStalledJobsToWait", "'LRANGE', activeKey", "'LRANGE', active", "that marks the active jobs"],
  ["moveStalledJobsToWait", '"stc", 1', '"stc", 2', "that counts how often a job has stalled"],
];

for (const [script, from, to, what] of changes) {
  Deno.test(`a BullMQ whose script ${script} has no ${JSON.stringify(from)} is an error that names the script`, () => {
    const scripts = new Map<string, string>();
    Reflect.get(bullmq.RedisConnection.prototype, "loadCommands").call({
      _client: { defineCommand: (name: string, { lua }: { lua: string }) => scripts.set(name, lua) },
    }, ["check"]);
    const other = withLoad(function () {
      for (const [name, lua] of scripts) {
        this._client.defineCommand(name, { lua: name.startsWith(`${script}:`) ? lua.replaceAll(from, to) : lua });
      }
    });
    assertMissing("bullmq", `script ${script} ${what}`, () => checkBullMq(other));
  });
}

Deno.test("a BullMQ whose scripts cannot be found is an error that says so", () => {
  for (const load of [() => {}, () => Reflect.get(Object(undefined), "client").defineCommand("moveToActive", {})]) {
    const what = "RedisConnection.loadCommands that uses _client";
    assertMissing("bullmq", what, () => checkBullMq(withLoad(load)));
  }
});

Deno.test("a script without a clock is not changed, and one with a clock gets Redis's", () => {
  const [plain, timed] = ["return 1", "--[[\n  ARGV[1] token\n  ARGV[2] timestamp\n]]\nreturn ARGV[2]"];
  assertEquals(byRedisClock(plain), plain);
  assertMatch(byRedisClock(timed), /redis\.call\("TIME"\)[^]*ARGV\[2\] = [^]*return ARGV\[2\]/);
});

Deno.test("a connection that lacks a member is an error when it is used", () => {
  const fields: readonly [string, (connection: Redis) => unknown][] = [
    ["status", closable],
    ["flushQueue", closable],
    ["stream", socketOf],
    ["stream", (connection) => writesTogether(connection).emit("connect")],
    ["scriptsSet", scriptsOn],
  ];
  for (const [field, use] of fields) {
    const broken: Redis = Object.create(connection(), { [field]: { value: undefined } });
    assertMissing("ioredis", `Redis.${field}`, () => use(broken));
  }
});

Deno.test("a script that ioredis stores in another form is an error that names it", () => {
  const redis = connection();
  redis.defineCommand("good", { numberOfKeys: 0, lua: "return 1" });
  const scriptOf = scriptsOn(redis);
  assertEquals(scriptOf("good").lua, "return 1");
  assertThrows(() => scriptOf("other"), Error, 'Cannot run script "other": it is not defined.');
  const renamed: Redis = Object.create(redis, { scriptsSet: { value: { good: { text: "return 1" } } } });
  assertMissing("ioredis", "Redis.scriptsSet.good", () => scriptsOn(renamed)("good"));
});

Deno.test("a worker that does not duplicate its connection is an error", () => {
  assertMissing("bullmq", "Worker that duplicates its connection", () => withDuplicate(connection(), () => "made"));
});

Deno.test("the commands of one turn of the event loop are sent with one write, those of the next with another", async () => {
  const redis = writesTogether(connection());
  const sent: string[] = [];
  const socket = new Writable({
    decodeStrings: false,
    write(chunk, _, done) {
      sent.push(String(chunk));
      done();
    },
    writev(chunks, done) {
      sent.push(chunks.map(({ chunk }) => String(chunk)).join());
      done();
    },
  });
  Reflect.set(redis, "stream", Object.assign(socket, { resetAndDestroy: () => {} })); // As a socket has it.
  redis.emit("connect");
  for (const command of ["a", "b"]) socket.write(command);
  assertEquals(sent, []);
  await pause(0);
  socket.write("d");
  socket.end(); // Sends what is still to be sent.
  await pause(0);
  assertEquals(sent, ["a,b", "d"]);
});
