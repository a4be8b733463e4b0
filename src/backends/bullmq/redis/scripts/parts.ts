/**
 * What our Lua scripts have in common.
 *
 * @module
 */

import { TaskCancelled } from "../../../../errors.ts";
import { MOVES } from "./lists.ts";
import { PARKED } from "./resuming/queue_again.ts";

/** When a job that waits only for answers is due, for BullMQ, in ms since the epoch: at the end of the year 9999. */
export const NEVER_MS = 253_402_300_799_000;

/** The keys of tasks, and how to store since when one waits. Needs `ours`, the prefix of our keys. */
export const NAMES = `
local function record(id) return ours .. "task:" .. id end

-- Where the steps of a job are, one field each. Of jobs that are no tasks of ours, only queue and id together are unique.
local function stepsOf(queue, id) return ours .. "steps:" .. queue .. ":" .. id end

local function listKey(name, job) return ours .. "list:" .. name .. ":" .. job end

-- A task waits for a worker since this time. A job that is no task of ours has no record.
local function waitsSince(id, time)
  if redis.pcall("EXISTS", record(id)) == 1 then redis.pcall("HSET", record(id), "changedAt", time) end
end
`;

/** The clock that decides, in ms since the epoch. Those of servers and workers may be wrong. */
export const CLOCK = `
local function clock()
  local time = redis.call("TIME")
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

/** The names of keys, the clock, how to run a command that may fail, and how others are told of a change. */
export const PLACES = `
local ours = KEYS[1]
local bull = string.sub(ours, 1, -10)
local call = redis.call
${NAMES}${CLOCK}

-- Runs a command that may fail, after the write that counts. Returns whether it succeeded.
local function try(...)
  local reply = redis.pcall(...)
  return type(reply) ~= "table" or not reply.err
end

-- The text of an error that was caught.
local function errorOf(what) return tostring(type(what) == "table" and what.err or what) end

-- Sends a signal to all processes. They also check regularly, in case it is lost.
local function signal(text) try("PUBLISH", ours .. "signals", text) end

-- Adds a change to the queue's events, and keeps as many events as BullMQ does.
local function publish(queue, id, event, ...)
  local most = call("HGET", bull .. queue .. ":meta", "opts.maxLenEvents") or 10000
  try("XADD", bull .. queue .. ":events", "MAXLEN", "~", most, "*", "event", event or "mcp-jobs", "jobId", id, ...)
end
`;

/** The field of BullMQ's job that holds the number of its latest run, and the token with which that run locked it. */
export const CLAIM = "mcp-jobs:claim";

/** Lua that finds out who holds a job. */
export const HOLDER = `
-- The token of the run that holds a job. A lock that has run out is still that of its run until another worker takes the job.
local function holderOf(q, id)
  local token = redis.call("GET", q .. id .. ":lock")
  if token or not redis.call("LPOS", q .. "active", id) then return token end
  local job = redis.call("HMGET", q .. id, "ats", "${CLAIM}")
  local run, claimed = string.match(job[2] or "", "^(%d+) (.*)$")
  return run == job[1] and claimed
end
`;

/** For most scripts: where the keys are, and which state a job has. */
export const COMMON = `${PLACES}${HOLDER}

-- The wait list may be long, so it is never searched: a job that is nowhere else is waiting.
local function jobState(queue, id, storedAt, finishedOn)
  local q = bull .. queue .. ":"
  if not storedAt then return "unknown" end
  if finishedOn then
    if call("ZSCORE", q .. "completed", id) then return "completed" end
    if call("ZSCORE", q .. "failed", id) then return "failed" end
  end
  if call("LPOS", q .. "active", id) then return "active" end
  if call("ZSCORE", q .. "delayed", id) then return "delayed" end
  if call("ZSCORE", q .. "prioritized", id) then return "prioritized" end
  if call("ZSCORE", q .. "waiting-children", id) then return "waiting-children" end
  return "waiting"
end

local function stateOf(queue, id)
  local job = call("HMGET", bull .. queue .. ":" .. id, "timestamp", "finishedOn")
  return jobState(queue, id, job[1], job[2])
end

local function isOver(state) return state == "completed" or state == "failed" or state == "unknown" end

-- Whether a run holds a job: after its lease another one may.
local function isHeld(queue, id, token) return holderOf(bull .. queue .. ":", id) == token end

-- Has waiting workers look for delayed jobs when the first one is due.
local function wakeWhenDue(q)
  try("ZADD", q .. "marker", call("ZRANGE", q .. "delayed", 0, 0, "WITHSCORES")[2] / 0x1000, "1")
end

-- Counts a change, and returns its number.
local function changed(id, now)
  local number = call("HINCRBY", record(id), "changes", 1)
  call("HSET", record(id), "changedAt", now)
  return number
end

-- Where the log of a task is: a list of lines, each as its number, its time in ms, its level and its text.
local function logOf(id) return ours .. "log:" .. id end
`;

/** How a task is cancelled. */
export const CANCEL = `${MOVES}
-- The field "stop" holds how often the task's worker had died when the task was asked to stop. If it died once more
-- since, that ended the task's work.
local function cancelTask(queue, id, state, now, mode)
  local fields = call("HMGET", record(id), "stop", "abandoned", "job")
  local job = call("HMGET", bull .. queue .. ":" .. id, "ats", "atm", "stc", "progress")
  local run, ended, deaths = tonumber(job[1]) or 0, tonumber(job[2]) or 0, tonumber(job[3]) or 0
  local died = fields[1] and deaths > tonumber(fields[1])
  local attempt = ended + deaths
  -- An attempt that was parked has begun, and has not ended.
  if state ~= "active" and tonumber(call("HGET", record(id), "resumes")) == attempt + 1 then attempt = attempt + 1 end
  local work = run == 0 and "never_started" or "stopped"
  if died then
    -- A worker that took the job since does not run its code: it stops it, or fails it as one of too many deaths.
    if state == "active" or state == "failed" then run = run - 1 end
    if state == "failed" then attempt = attempt - 1 end
  elseif state == "active" then
    attempt = attempt + 1
    work = mode
  end
  if fields[2] and work == "stopped" then work = "stop_requested" end
  -- BullMQ's own mark: whichever worker takes the job, before its removal or as a retry, fails it at once.
  call("HSET", bull .. queue .. ":" .. id, "defa", "${new TaskCancelled().message}")
  -- Code that runs on may report more, and the job may be gone: this is how far it was. "" is not JSON: no progress.
  local progress = job[4] or ""
  call("HSET", record(id), "work", work, "workAt", now, "workAttempt", attempt, "workRun", run,
    "workProgress", progress, "workDied", died and 1 or 0)
  try("DEL", stepsOf(queue, id))
  listIn("CANCELLED", id, fields[3])
  publish(queue, id)
end
`;

/** When a delayed job is due. */
export const DUE = `
-- A delayed job has its delay, and when that ends by the clock of whoever delayed it. If the end is further away than
-- the delay, that clock was fast, or Redis's own was set back: the delay starts again from now. A parked job waits for a
-- date by Redis's clock, or only for answers.
local function dueAt(queue, id, now)
  local q = bull .. queue .. ":"
  local due = call("ZSCORE", q .. "delayed", id) / 0x1000
  local job = call("HMGET", q .. id, "delay", "ats", "${PARKED}")
  if job[3] and job[3] == job[2] then return due ~= ${NEVER_MS} and math.floor(due) end
  local latest = now + math.ceil(tonumber(job[1]) or 0)
  if due <= latest + 1000 or not try("ZADD", q .. "delayed", "XX", latest * 0x1000, id) then return math.floor(due) end
  wakeWhenDue(q)
  return latest
end
`;
