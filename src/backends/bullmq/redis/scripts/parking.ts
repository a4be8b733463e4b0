/**
 * The scripts that let a job wait without a worker, and those that store the steps of a run.
 *
 * For BullMQ a parked job is delayed: until its time, or, if it waits only for answers, until the end of the year 9999.
 *
 * @module
 */
import { MAX_STEPS } from "../../../../steps/recorded_steps.ts";
import { MOVES } from "./lists.ts";
import { COMMON, NEVER_MS } from "./parts.ts";
import { OPEN } from "./questions.ts";
import { PARKED, TO_FRONT } from "./resuming/queue_again.ts";
import { READ_STEPS } from "./resuming/resumed.ts";

/** What became of a run that was to be parked. `lost`: it no longer holds the job. `stop`: the task is to stop. */
export type ParkReply = "parked" | "lost" | "stop";

/** How long the steps of a job that is no task of ours are kept, in ms: nothing says when such a job is deleted. */
const FOREIGN_STEPS_MS = 30 * 86_400_000;

/**
 * ARGV: queue, id, token, when the job is due in any case or "", and the keys of the questions that it waits for. Others
 * that are open are dropped. It is due when the time of one of the questions is over. If nothing is left to wait for, or all
 * answers have come meanwhile, it is queued at once.
 */
export const PARK = `${COMMON}${MOVES}${OPEN}${TO_FRONT}
local queue, id, due, now = ARGV[1], ARGV[2], tonumber(ARGV[4]), clock()
local q, rec = bull .. queue .. ":", record(id)
if not isHeld(queue, id, ARGV[3]) or not call("LPOS", q .. "active", id) then return "lost" end
local fields = call("HMGET", rec, "queue", "open", "stop", "work")
if fields[3] or fields[4] then return "stop" end
local awaited, kept, first = {}, {}, due or math.huge
for i = 5, #ARGV do awaited[ARGV[i]] = true end
local open, _, set, delete = answerOpen(rec, fields[2], {}, now)
for _, name in ipairs(open) do
  if awaited[name] then
    table.insert(kept, name)
    first = math.min(first, expiryOf(rec, name) or first)
  else
    table.insert(delete, "question:" .. name)
  end
end
if first == math.huge then first = ${NEVER_MS} end
local waits = (not due or due > now) and (#kept > 0 or due and #ARGV == 4)
local job = call("HMGET", q .. id, "ats", "atm", "stc")
if waits then
  call("ZADD", q .. "delayed", first * 0x1000, id)
  call("HSET", q .. id, "delay", first - now, "${PARKED}", job[1])
else
  call("HSET", q .. id, "${PARKED}", job[1])
end
call("LREM", q .. "active", -1, id)
call("SREM", q .. "stalled", id)
call("DEL", q .. id .. ":lock")
if fields[1] then
  changed(id, now)
  call("HINCRBY", rec, "parks", 1)
  call("HSET", rec, "resumes", (tonumber(job[2]) or 0) + (tonumber(job[3]) or 0) + 1, "open", listOf(kept), unpack(set))
  if #delete > 0 then try("HDEL", rec, unpack(delete)) end
end
if not waits then
  toFront(queue, { id })
  publish(queue, id, "waiting", "prev", "active")
else
  moveTo(#kept > 0 and "asking" or "sleeping", queue, id)
  if first ~= ${NEVER_MS} then wakeWhenDue(q) end
  publish(queue, id, "delayed", "delay", string.format("%.0f", first))
end
return "parked"`;

/** ARGV: queue, id, token, index, text. Stores a step of a run that holds the job. Returns whether it holds that. */
export const RECORD = `${COMMON}
local queue, id = ARGV[1], ARGV[2]
local fields = call("HMGET", record(id), "queue", "work")
if not isHeld(queue, id, ARGV[3]) then return 0 end
if fields[2] then return 1 end
call("HSET", stepsOf(queue, id), ARGV[4], ARGV[5])
if not fields[1] then call("PEXPIRE", stepsOf(queue, id), ${FOREIGN_STEPS_MS}) end
return 1`;

/** How much of the steps one reply has, in bytes: a slow line carries that, and at most one step more, within its deadline. */
const REPLY_BYTES = 1_048_576;

/** ARGV: queue, id, index. Returns the steps from there on, as `readSteps` does. */
export const STEPS = `${COMMON}${READ_STEPS}
return readSteps(stepsOf(ARGV[1], ARGV[2]), tonumber(ARGV[3]), ${REPLY_BYTES})`;

/** ARGV: queue, id, token, index. Deletes the steps from there on, for a run that holds the job. */
export const FORGET_STEPS = `${COMMON}
if not isHeld(ARGV[1], ARGV[2], ARGV[3]) then return 0 end
local indexes = {}
for index = ARGV[4], ${MAX_STEPS} - 1 do table.insert(indexes, index) end
return call("HDEL", stepsOf(ARGV[1], ARGV[2]), unpack(indexes))`;
