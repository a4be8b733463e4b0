/**
 * Our Lua scripts. Each is atomic, so that a task cannot be both cancelled and completed. Redis does not undo a script
 * that fails half-way (on a command that the user may not run, or a key of another type). So in each the write that
 * counts comes after everything that could be refused, and what follows it cannot fail.
 *
 * KEYS[1] is the prefix of our keys, `<prefix>:mcp-jobs:`, which begins with the prefix of BullMQ's keys.
 *
 * @module
 */
import { CREATE } from "./create.ts";
import { MOVES } from "./lists.ts";
import { REPORT } from "./log.ts";
import { AFTER, COUNTS, LIVING, PAGE, PAUSE, PAUSED, SUBMITTED, WORKERS } from "./operating.ts";
import { FORGET_STEPS, PARK, RECORD, STEPS } from "./parking.ts";
import { CANCEL, COMMON, DUE, PLACES } from "./parts.ts";
import { ASK } from "./questions.ts";
import { READ } from "./read.ts";
import { ANSWER } from "./resuming/answer.ts";
import { COUNT_LOSS, LOSSES } from "./resuming/losses.ts";
import { SET_BACK } from "./set_back.ts";

/** The scripts by name, each with what ARGV holds. */
export const SCRIPTS = {
  create: CREATE,

  /**
   * ARGV: owner, key, the text that it must have now or "", the text that it is to have or "", and for how long, in ms.
   * Returns whether it was changed.
   */
  rename: `${COMMON}
local key = ours .. "key:" .. ARGV[1] .. ":" .. ARGV[2]
if (call("GET", key) or "") ~= ARGV[3] then return 0 end
if ARGV[4] == "" then call("DEL", key) else call("SET", key, ARGV[4], "PX", ARGV[5]) end
return 1`,

  /**
   * ARGV: name, and the text from which and that to which the document changes, each after 1, or 0 and "" where there is
   * none. Returns whether it was changed.
   */
  document: `${PLACES}
local key, name, now = ours .. "documents", ARGV[1], call("HGET", ours .. "documents", ARGV[1])
if now ~= (ARGV[2] == "1" and ARGV[3]) then return 0 end
if now == (ARGV[4] == "1" and ARGV[5]) then return 1 end
if ARGV[4] == "1" then call("HSET", key, name, ARGV[5]) else call("HDEL", key, name) end
signal("document " .. name)
return 1`,

  read: READ,

  /**
   * ARGV: id, and "ask", with which a running job is only asked to stop, or else the cancelled task's
   * `work`. A run that cancels its own task adds its token, and has to hold the job. Returns "unknown", "finished",
   * "asked", or "cancelled" with the queue.
   */
  cancel: `${COMMON}${CANCEL}
local id, mode, now = ARGV[1], ARGV[2], clock()
local fields = call("HMGET", record(id), "queue", "work", "stop")
local queue = fields[1]
if not queue then return { "unknown" } end
if fields[2] then return { "finished" } end
local state = stateOf(queue, id)
if isOver(state) or ARGV[3] and not isHeld(queue, id, ARGV[3]) then return { "finished" } end
if state == "active" and mode == "ask" then
  if not fields[3] then
    changed(id, now)
    call("HSET", record(id), "stop", call("HGET", bull .. queue .. ":" .. id, "stc") or 0)
    publish(queue, id)
  end
  signal("stop " .. id)
  return { "asked" }
end
cancelTask(queue, id, state, now, mode)
if state == "active" then return { "cancelled" } end
-- Its job is about to be removed. This is what an operator needs to repeat the task.
local job = call("HMGET", bull .. queue .. ":" .. id, "name", "data", "opts")
if job[3] then try("HSET", record(id), "jobName", job[1], "data", job[2], "opts", job[3]) end
return { "cancelled", queue }`,

  /** ARGV: ids. Returns those of tasks that are to stop, or are cancelled. */
  stops: `${COMMON}
local stops = {}
for _, id in ipairs(ARGV) do
  local fields = call("HMGET", record(id), "stop", "work")
  if fields[1] or fields[2] then table.insert(stops, id) end
end
return stops`,

  report: REPORT,

  ask: ASK,

  answer: ANSWER,

  park: PARK,

  record: RECORD,

  steps: STEPS,

  forgetSteps: FORGET_STEPS,

  /** ARGV: id, field, value, and the token of a run if that has to hold the job. Sets a field of a record that exists. */
  mark: `${COMMON}
local id, token = ARGV[1], ARGV[4]
local queue = call("HGET", record(id), "queue")
if not queue or token and not isHeld(queue, id, token) then return 0 end
call("HSET", record(id), ARGV[2], ARGV[3])
return 1`,

  /** ARGV: id, token, run. Counts once that this run was handed back, if it holds the job. Returns how many were at this place. */
  handBack: `${COMMON}${COUNT_LOSS}
local r = record(ARGV[1])
local fields = call("HMGET", r, "queue", "handedBack")
if not fields[1] or not isHeld(fields[1], ARGV[1], ARGV[2]) then return 0 end
if fields[2] == ARGV[3] then
  return cjson.decode(call("HGET", bull .. fields[1] .. ":" .. ARGV[1], "${LOSSES}") or "{}").handBacks or 0
end
local times = countLoss(bull, fields[1], ARGV[1], "handBacks")
call("HSET", r, "handedBack", ARGV[3])
call("HINCRBY", r, "handBacks", 1)
return times`,

  /** ARGV: queue, the id of a BullMQ worker. Returns the jobs that it has claimed, each as its id and the claim's token. */
  claimed: `${COMMON}
local q, claimed = bull .. ARGV[1] .. ":", {}
for _, id in ipairs(call("LRANGE", q .. "active", 0, -1)) do
  local token = holderOf(q, id)
  if token and string.match(token, "^(.*):") == ARGV[2] then table.insert(claimed, { id, token }) end
end
return claimed`,

  /** ARGV: owner, cursor or "", limit. Returns ids, newest first. */
  list: `${COMMON}
local max = ARGV[2] == "" and "+" or "(" .. ARGV[2]
return call("ZREVRANGEBYLEX", ours .. "owner:" .. ARGV[1], max, "-", "LIMIT", 0, ARGV[3])`,

  /** ARGV: limit. Returns the ids of tasks that may have expired. */
  due: `${COMMON}${DUE}${SET_BACK}
local now = clock()
pcall(noticeSetBack, now)
return call("ZRANGEBYSCORE", ours .. "expiry", "-inf", now, "LIMIT", 0, ARGV[1])`,

  /** ARGV: id, ms. */
  postpone: `${COMMON}
return call("ZADD", ours .. "expiry", "XX", clock() + tonumber(ARGV[2]), ARGV[1])`,

  /** ARGV: id, owner, and for how many ms the owner gets "expired" before the id is unknown. */
  forget: `${COMMON}${MOVES}
local id, owner, ms = ARGV[1], ARGV[2], tonumber(ARGV[3])
local fields = call("HMGET", record(id), "queue", "job")
if fields[1] then
  call("DEL", record(id), stepsOf(fields[1], id), logOf(id))
  if ms > 0 then
    call("HSET", record(id), "queue", fields[1], "owner", owner, "expired", 1)
    call("PEXPIRE", record(id), ms)
  end
end
if fields[2] then drop(id, fields[2]) end
call("ZREM", ours .. "owner:" .. owner, id)
-- Last: until then, the sweeper tries again.
call("ZREM", ours .. "expiry", id)
return 1`,

  page: PAGE,

  counts: COUNTS,

  workers: WORKERS,

  /** Returns what each living worker has reported about itself. */
  living: `${COMMON}${LIVING}
return living(clock())`,

  /**
   * ARGV: the name of a worker, what it reports about itself, and for how many ms it then counts as alive. A new one deletes
   * what dead ones have left. Returns the time.
   */
  present: `${COMMON}${LIVING}
local now = clock()
local text = string.format('{"until":%d,', now + tonumber(ARGV[3])) .. string.sub(ARGV[2], 2)
if call("HSET", ours .. "workers", ARGV[1], text) == 1 then living(now) end
return now`,

  pause: PAUSE,

  paused: PAUSED,

  after: AFTER,

  submitted: SUBMITTED,

  /** ARGV: stream, event id, text, ms to keep it. A stream holds its last 1,000 events. */
  streamAppend: `${COMMON}
local key, event = ours .. "stream:" .. ARGV[1], ARGV[2] .. "\\n" .. ARGV[3]
local left = call("PTTL", key)
call("ZADD", key, 0, event)
if left < tonumber(ARGV[4]) and not try("PEXPIRE", key, ARGV[4]) then
  try("ZREM", key, event)
  return redis.error_reply("the expiry was refused")
end
try("ZREMRANGEBYRANK", key, 0, -1001)
return 1`,

  /** ARGV: stream, event id or "". Returns the events after it, each as id, line break and text. */
  streamRead: `${COMMON}
local from = ARGV[2] == "" and "-" or "[" .. ARGV[2] .. "\\11"
return call("ZRANGEBYLEX", ours .. "stream:" .. ARGV[1], from, "+")`,
} as const;
