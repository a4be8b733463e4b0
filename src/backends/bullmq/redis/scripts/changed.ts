/**
 * The scripts of BullMQ, changed for our workers: they go by Redis's clock, continue parked jobs first, keep the lists of
 * tasks, pass on to a run what earlier ones have recorded, start no more jobs than their limits allow, tell of the last one,
 * leave a job with a run that has slept, and count deaths at one place. What is needed of a script is looked up in its text,
 * and checked when the library is loaded.
 *
 * @module
 */
import type { Redis } from "ioredis";
import type { WorkOptions } from "../../../../backend.ts";
import { MissingInternal } from "../../../../libraries/internals.ts";
import { MOVES } from "./lists.ts";
import { CLAIM, CLOCK, HOLDER, NAMES } from "./parts.ts";
import { COUNT_LOSS } from "./resuming/losses.ts";
import { QUEUE_AGAIN } from "./resuming/queue_again.ts";
import { CARRIER, READ_RESUMED } from "./resuming/resumed.ts";

/** The limits of the jobs of a worker. */
type Limits = NonNullable<WorkOptions["limits"]>;

/** The scripts with which a worker takes jobs, moves them and recovers those of dead workers: all go by a clock. */
const CLOCK_SCRIPTS = ["moveToActive", "moveToFinished", "moveToDelayed", "moveStalledJobsToWait", "retryJob"];

/** The scripts that queue delayed jobs once they are due. */
const PROMOTING_SCRIPTS = ["moveToActive", "moveToFinished", "retryJob"];

/** The scripts that start a job if the queue is neither paused nor full. */
const CLAIMING_SCRIPTS = ["moveToActive", "moveToFinished", "moveToDelayed"];

/** The scripts that may move a task to another list. */
const MOVING_SCRIPTS = ["moveToActive", "moveToFinished", "moveToDelayed", "retryJob"];

/** The scripts that a run calls while it holds its job. */
const HOLDING_SCRIPTS = ["extendLocks", "moveToFinished", "moveToDelayed", "retryJob", "moveJobFromActiveToWait"];

/** Throws `MissingInternal` if a script lacks what is used here. */
export function checkScripts(scripts: ReadonlyMap<string, string>): void {
  const check = (names: readonly string[], what: string, has: (name: string, lua: string) => boolean) => {
    const missing = names.find((name) => !has(name, scripts.get(name) ?? ""));
    if (missing !== undefined) throw new MissingInternal("bullmq", `script ${missing} ${what}`);
  };
  check(CLOCK_SCRIPTS, "with an argument called timestamp", (_, lua) => TIMESTAMP.test(lua));
  check(PROMOTING_SCRIPTS, "that promotes delayed jobs by their priority", (_, lua) => PROMOTED.test(lua));
  check(MOVING_SCRIPTS, "with the arguments that name its job", (name, lua) => movesOf(name, lua) !== undefined);
  check(CLAIMING_SCRIPTS, "that tells whether its queue is full", (_, lua) => lua.includes(FREE));
  check(CLAIMING_SCRIPTS, "that sets a marker when it has taken a job", (_, lua) => TAKEN.test(lua));
  check(CLAIMING_SCRIPTS, "that counts how often a job has started", (_, lua) => lua.includes(STARTS));
  check(HOLDING_SCRIPTS, "that reads the lock of its job", (_, lua) => LOCK.test(lua));
  check(["moveStalledJobsToWait"], "that marks the active jobs", (_, lua) => lua.includes(MARKS));
  check(["moveStalledJobsToWait"], "that counts how often a job has stalled", (_, lua) => lua.includes(STALLS));
}

/** Makes all scripts that BullMQ will define on a connection follow our rules, and keep the limits of these jobs. */
export function patchScripts(connection: Redis, limits: Limits = {}): Redis {
  const define = connection.defineCommand.bind(connection);
  connection.defineCommand = (name, { lua, ...script }) => {
    const [plain = ""] = name.split(":");
    // The last two put the names of keys and the clock before the script, which the changes above them use.
    const changes = [
      sparingSleepers,
      countingLosses,
      tellingOfLast,
      (lua: string) => withinLimits(lua, limits),
      parkedFirst,
      (lua: string) => maintainingLists(plain, lua),
      byRedisClock,
    ];
    return define(name, { ...script, lua: changes.reduce((changed, change) => change(changed), lua) });
  };
  return connection;
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
  return `${CLOCK}
local now = clock()
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

/** How BullMQ's scripts queue a delayed job that is due: behind all others, or behind all of its priority. */
const PROMOTED =
  /(tonumber\(rcall\("HGET", jobKey, "priority"\)\) or 0\s+)(if priority == 0 then\s[^\n]*\s+rcall\("LPUSH", targetKey, jobId\))/;

/**
 * Changes a script of BullMQ that queues due jobs: parked ones come before jobs that never ran, and the time since which a task
 * waits is noted.
 */
function parkedFirst(lua: string): string {
  const changed = lua.replace(PROMOTED, (_, priority, queue) =>
    `${priority}
            waitsSince(jobId, timestamp)
            if wasParked(jobKey) then
                queueAgain(prefix, { jobId })
                move("open", jobId)
            else${queue}`);
  return changed === lua ? lua : `${QUEUE_AGAIN}${changed}`;
}

/** Replaces the worker's name in a reply with a job if no other one waits or is delayed: BullMQ drops unknown fields. */
export const LAST = "mcp-jobs:last";

/** How BullMQ's scripts end when they have taken a job: they set the marker that wakes a worker, and return the job. */
const TAKEN =
  /addBaseMarkerIfNeeded\(markerKey, false\)(?:\s*--[^\n]*\n)*\s*return \{rcall\("HGETALL", jobKey\), jobId, 0, 0\}/;

/**
 * Changes a script of BullMQ so that it says when it has taken the last job, and leaves no marker then. In BullMQ, each job
 * wakes another worker, which finds none, and its own worker asks for the next job at once: two scripts for nothing.
 */
function tellingOfLast(lua: string): string {
  return lua.replace(
    TAKEN,
    `local data, others = rcall("HGETALL", jobKey), rcall("LLEN", keyPrefix .. "wait")
  for _, set in ipairs({ "prioritized", "delayed" }) do others = others + rcall("ZCARD", keyPrefix .. set) end
  if others > 0 then
    addBaseMarkerIfNeeded(markerKey, false)
  else
    rcall("ZREM", markerKey, "0")
    table.insert(data, "pb")
    table.insert(data, "${LAST}")
  end
  return {data, jobId, 0, 0}`,
  );
}

/** How BullMQ's scripts find that a queue is neither paused nor full. */
const FREE = "return false, queueAttributes[3]";

/**
 * Changes a script of BullMQ so that for a job with limits its queue is also full while as many of its jobs are active as the
 * limit allows. BullMQ has such a limit itself, but as a setting of the queue: it would outlive the code that has set it, and
 * be the same for all workers. The rate is limited by BullMQ; a window that began under a longer limit ends earlier.
 */
function withinLimits(lua: string, limits: Limits): string {
  const all = Object.entries(limits).map(([job, { concurrency = "nil", rateLimit }]) =>
    `[${JSON.stringify(job)}] = { most = ${concurrency}, per = ${rateLimit?.per ?? "nil"} }`
  );
  if (all.length === 0 || !lua.includes(FREE)) return lua;
  return `
local LIMITS = { ${all.join(", ")} }
local function isFull(activeKey)
  local q, queue = string.match(activeKey, "^(.*:([^:]*):)active$")
  local limits = LIMITS[queue] or {}
  local left = limits.per and redis.call("PTTL", q .. "limiter") or 0
  if left > (limits.per or 0) then redis.call("PEXPIRE", q .. "limiter", limits.per) end
  return limits.most and redis.call("LLEN", activeKey) >= limits.most
end
${lua.replaceAll(FREE, "return isFull(activeKey), queueAttributes[3]")}`;
}

/** How BullMQ's scripts count that a run of a job starts. */
const STARTS = 'rcall("HINCRBY", jobKey, "ats", 1)';

/** How BullMQ's scripts read the lock of a job that a run holds. */
const LOCK = /(local \w+ = )rcall\("GET", lockKey\)(?=\s+if (?:lockToken == token|currentToken) then)/;

/** How BullMQ's script begins to mark jobs that the next search moves back to the queue, unless their locks are renewed. */
const MARKS = "local active = rcall('LRANGE', activeKey, 0, -1)";

/**
 * Changes a script of BullMQ so that a worker that has slept goes on with its jobs, unless another one has taken them. In
 * BullMQ, a run loses its job when its lock expires, even if the machine was asleep or Redis answered nobody. Here, only jobs
 * without a lock are marked, and a worker that wakes up has until the next search to renew its locks.
 */
function sparingSleepers(lua: string): string {
  const changed = lua
    .replace(STARTS, `rcall("HSET", jobKey, "${CLAIM}", ${STARTS} .. " " .. opts["token"])`)
    .replace(
      MARKS,
      `local active = {}
for _, id in ipairs(rcall("LRANGE", activeKey, 0, -1)) do
    if rcall("EXISTS", queueKeyPrefix .. id .. ":lock") == 0 then table.insert(active, id) end
end`,
    );
  return LOCK.test(changed)
    ? `${HOLDER}${changed.replace(LOCK, "$1holderOf(string.sub(lockKey, 1, -6 - #jobId), jobId)")}`
    : changed;
}

/** How BullMQ's script counts that a job has stalled. */
const STALLS = 'local stalledCount = rcall("HINCRBY", jobKey, "stc", 1)';

/**
 * Changes the script of BullMQ that recovers jobs of dead workers: its limit is for the deaths at one place. BullMQ's own
 * counter of deaths goes on, because it numbers the attempts. It also decides where ours cannot be read, so that no job is lost.
 */
function countingLosses(lua: string): string {
  if (!lua.includes(STALLS)) return lua;
  // This script moves no task, so the names of keys are put before it here.
  return `
local ours
${NAMES}${COUNT_LOSS}${
    lua.replace(
      STALLS,
      `${STALLS}
                    local bull, queue = string.match(queueKeyPrefix, "^(.*:)([^:]*):$")
                    ours = bull .. "mcp-jobs:"
                    local isCounted, losses = pcall(countLoss, bull, queue, jobId, "crashes")
                    if isCounted then stalledCount = losses end`,
    )
  }`;
}

/** Where a script finds the prefix of its queue's keys, the id of the job that it moves, and where that goes. */
interface Moves {
  readonly prefix: string;
  readonly id?: string;
  readonly target?: string;
}

/** How the comments of BullMQ's scripts name these arguments. */
const PREFIX = /^\s*ARGV\[(\d+)\]\s+keys? prefix\s*$/m;
const JOB = /^\s*ARGV\[(\d+)\]\s+(?:jobId|the id of the job)\s*$/m;
const TARGET = /^\s*ARGV\[(\d+)\]\s+target \(completed\/failed\)\s*$/m;

function movesOf(name: string, lua: string): Moves | undefined {
  const [prefix, id, target] = [PREFIX, JOB, TARGET].map((argument) => lua.match(argument)?.[1]);
  if (prefix === undefined || name !== "moveToActive" && id === undefined) return undefined;
  if (name === "moveToFinished" && target === undefined) return undefined;
  return { prefix, id, target };
}

/**
 * Changes a script of BullMQ so that it moves a task to another list when it moves its job: when the job has ended, waits
 * for its next attempt, or starts again. A task that starts for the first time is in its list already. When a job has ended,
 * its steps and its holder are deleted. When it starts again, its run gets what earlier runs have recorded.
 */
function maintainingLists(name: string, lua: string): string {
  const moves = MOVING_SCRIPTS.includes(name) ? movesOf(name, lua) : undefined;
  if (moves === undefined) return lua;
  const { prefix, id, target } = moves;
  const moved = target === undefined
    ? `move("retrying", ARGV[${id}])`
    : `move(string.upper(ARGV[${target}]), ARGV[${id}])
  redis.pcall("DEL", stepsOf(queue, ARGV[${id}]))
  redis.pcall("HDEL", ARGV[${prefix}] .. ARGV[${id}], "${CLAIM}")`;
  // The prefix of a queue's keys is that of all queues, and the queue's name, which has no colon.
  return `
local bull, queue = string.match(ARGV[${prefix}], "^(.*:)([^:]*):$")
local ours = bull .. "mcp-jobs:"
${NAMES}${MOVES}${READ_RESUMED}
local function move(name, id) moveTo(name, queue, id) end

local function moveJob()
${lua}
end

local reply = moveJob()
local nextJob = type(reply) == "table" and type(reply[1]) == "table" and reply[1]
${id === undefined ? "" : `if reply == 0 or type(reply) == "table" then ${moved} end`}
for i = 1, nextJob and #nextJob or 0, 2 do
  if nextJob[i] == "ats" and nextJob[i + 1] ~= "1" then
    if not redis.pcall("ZSCORE", listKey("open", queue), reply[2]) then move("open", reply[2]) end
    local isRead, text = pcall(resumed, queue, reply[2])
    if isRead then
      table.insert(nextJob, "${CARRIER}")
      table.insert(nextJob, text)
    end
  end
end
return reply`;
}
