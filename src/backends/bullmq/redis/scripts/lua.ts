/**
 * Our Lua scripts on Redis. Each is atomic, which is what makes a cancel and an end of a job exclude each other. Redis
 * takes nothing back of one that fails on its way (a command that the user may not run, a key of another type), so in
 * each the write that counts comes behind all that others could be refused for, and what follows it cannot fail.
 *
 * KEYS[1] is the prefix of our keys, `<prefix>:mcp-jobs:`; the prefix of BullMQ's keys stands before it.
 *
 * @module
 */
import { TaskCancelled } from "../../../../errors.ts";
import { CREATE } from "./create.ts";
import { COMMON, DUE } from "./parts.ts";
import { SET_BACK } from "./set_back.ts";

/** The fields of the record that a look gives, in this order. */
export const RECORD_FIELDS = [
  "queue",
  "job",
  "owner",
  "ttl",
  "createdAt",
  "attempts",
  "delayed",
  "changes",
  "changedAt",
  "stop",
  "work",
  "workAt",
  "workAttempt",
  "goneAt",
  "fault",
  "expired",
  "open",
  "workProgress",
  "workRun",
  "handedBack",
  "handBacks",
  "endedAt",
] as const;

/** The fields of BullMQ's job that a look gives after those, in this order. */
export const JOB_FIELDS = [
  "processedOn",
  "finishedOn",
  "ats",
  "atm",
  "stc",
  "progress",
  "failedReason",
  "timestamp",
  "pb",
] as const;

/** How workers of ours are called: BullMQ keeps in a job who has run it last. */
export const WORKER = "mcp-jobs";

const ENDED_AT = RECORD_FIELDS.indexOf("endedAt") + 1;
const RUN_BY = JOB_FIELDS.indexOf("pb") + 1;

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ");

/** The scripts by name, with what ARGV holds. */
export const SCRIPTS = {
  create: CREATE,

  /** Gives the names of the queues that hold tasks. */
  queues: `${COMMON}
return call("SMEMBERS", ours .. "queues")`,

  /**
   * ARGV: ids, each with its owner or "". Gives what time it is, and then for each the record's fields, the job's state,
   * when it is due, its fields, its questions; nothing for a task of another owner. All as one JSON text, where what is
   * absent is `false`: that is read far faster than as many values.
   */
  read: `${COMMON}${DUE}
local now = clock()
local found = { now }
for i = 1, #ARGV, 2 do
  local id, owner = ARGV[i], ARGV[i + 1]
  local rec = record(id)
  local fields = call("HMGET", rec, ${quoted(RECORD_FIELDS)})
  local queue = (owner == "" or owner == fields[3]) and fields[1]
  if queue then
    local job = call("HMGET", bull .. queue .. ":" .. id, ${quoted(JOB_FIELDS)})
    local state = standing(queue, id, job[8], job[2])
    if state == "unknown" and not fields[11] and not fields[14] and not fields[16] then
      try("HSET", rec, "goneAt", now)
      fields[14] = now
    end
    if (state == "completed" or state == "failed") and job[${RUN_BY}] ~= "${WORKER}" and not fields[${ENDED_AT}] then
      -- It has ended by the clock of somebody else's worker: what counts is when we know of it.
      if try("HSET", rec, "endedAt", now) then fields[${ENDED_AT}] = now end
    end
    if state == "active" and job[6] then
      -- A worker that knows nothing of us counts no changes, so who sees one counts it.
      local seen = redis.sha1hex(job[6])
      if call("HGET", rec, "seen") ~= seen and try("HSET", rec, "seen", seen, "changedAt", now) then
        try("HINCRBY", rec, "changes", 1)
        fields[8], fields[9] = call("HGET", rec, "changes"), now
      end
    end
    local questions = {}
    if fields[17] then
      for _, name in ipairs(cjson.decode(fields[17])) do
        table.insert(questions, call("HGET", rec, "question:" .. name))
      end
    end
    local due = state == "delayed" and dueAt(queue, id, now)
    table.insert(found, { fields, state, due, job, #questions > 0 and questions })
  else
    table.insert(found, false)
  end
end
return cjson.encode(found)`,

  /**
   * ARGV: id, what to say of the work. With "ask" a job that runs is only asked to stop. Gives "unknown",
   * "finished", "asked", or "cancelled" with the queue.
   */
  cancel: `${COMMON}
local id, mode, now = ARGV[1], ARGV[2], clock()
local fields = call("HMGET", record(id), "queue", "work", "stop", "abandoned")
local queue = fields[1]
if not queue then return { "unknown" } end
if fields[2] then return { "finished" } end
local state = stateOf(queue, id)
if isOver(state) then return { "finished" } end
if state == "active" and mode == "ask" then
  if not fields[3] then
    changed(id, now)
    call("HSET", record(id), "stop", 1)
    tell(queue, id)
  end
  signal("stop " .. id)
  return { "asked" }
end
local job = call("HMGET", bull .. queue .. ":" .. id, "ats", "atm", "stc", "progress")
local attempt = (tonumber(job[2]) or 0) + (tonumber(job[3]) or 0)
local work = (tonumber(job[1]) or 0) == 0 and "never_started" or "stopped"
if state == "active" then
  attempt = attempt + 1
  work = mode
end
if fields[4] and work == "stopped" then work = "stop_requested" end
-- BullMQ's own mark: whichever worker takes the job, before it is removed or again, fails it at once.
call("HSET", bull .. queue .. ":" .. id, "defa", "${new TaskCancelled().message}")
-- Code that runs on may say more, and the job may be gone: this is how far it was. No JSON, which is no progress.
local progress = job[4] or ""
call("HSET", record(id), "work", work, "workAt", now, "workAttempt", attempt, "workRun", job[1] or 0,
  "workProgress", progress)
tell(queue, id)
return { "cancelled", state ~= "active" and queue }`,

  /** ARGV: ids. Gives those of tasks that are to stop, or are cancelled. */
  stops: `${COMMON}
local stops = {}
for _, id in ipairs(ARGV) do
  local fields = call("HMGET", record(id), "stop", "work")
  if fields[1] or fields[2] then table.insert(stops, id) end
end
return stops`,

  /** ARGV: id, key, question. Gives the answer if there is one. */
  ask: `${COMMON}
local id, name = ARGV[1], ARGV[2]
local rec = record(id)
local answer = call("HGET", rec, "answer:" .. name)
if answer then return answer end
local fields = call("HMGET", rec, "queue", "open")
if not fields[1] then return false end
local open = fields[2] and cjson.decode(fields[2]) or {}
for _, other in ipairs(open) do
  if other == name then return false end
end
table.insert(open, name)
changed(id, clock())
call("HSET", rec, "open", cjson.encode(open), "question:" .. name, ARGV[3])
tell(fields[1], id)
return false`,

  /** ARGV: id, then keys and answers. */
  answer: `${COMMON}
local id = ARGV[1]
local rec = record(id)
local fields = call("HMGET", rec, "queue", "open", "work")
if not fields[1] or not fields[2] or fields[3] or isOver(stateOf(fields[1], id)) then return 0 end
local given = {}
for i = 2, #ARGV, 2 do given[ARGV[i]] = ARGV[i + 1] end
local open, answers, answered = {}, {}, {}
for _, name in ipairs(cjson.decode(fields[2])) do
  if given[name] then
    table.insert(answers, "answer:" .. name)
    table.insert(answers, given[name])
    table.insert(answered, "question:" .. name)
  else
    table.insert(open, name)
  end
end
if #answered == 0 then return 0 end
changed(id, clock())
call("HSET", rec, "open", #open > 0 and cjson.encode(open) or "[]", unpack(answers))
try("HDEL", rec, unpack(answered))
tell(fields[1], id)
signal("answer " .. id)
return #answered`,

  /** ARGV: id, field. Gives a field of the record. */
  field: `${COMMON}
return call("HGET", record(ARGV[1]), ARGV[2])`,

  /** ARGV: id, field, value. Sets a field of a record that there is. */
  mark: `${COMMON}
if call("HEXISTS", record(ARGV[1]), "queue") == 0 then return 0 end
call("HSET", record(ARGV[1]), ARGV[2], ARGV[3])
return 1`,

  /** ARGV: id, run. Stores once that this run was handed back. Gives how many runs were. */
  handBack: `${COMMON}
local r = record(ARGV[1])
if call("HEXISTS", r, "queue") == 0 then return 0 end
if call("HGET", r, "handedBack") == ARGV[2] then return tonumber(call("HGET", r, "handBacks")) end
call("HSET", r, "handedBack", ARGV[2])
return call("HINCRBY", r, "handBacks", 1)`,

  /** ARGV: owner, cursor or "", limit. Gives ids, the newest first. */
  list: `${COMMON}
local max = ARGV[2] == "" and "+" or "(" .. ARGV[2]
return call("ZREVRANGEBYLEX", ours .. "owner:" .. ARGV[1], max, "-", "LIMIT", 0, ARGV[3])`,

  /** ARGV: limit. Gives the ids that are to be looked at. */
  due: `${COMMON}${DUE}${SET_BACK}
local now = clock()
pcall(noticeSetBack, now)
return call("ZRANGEBYSCORE", ours .. "expiry", "-inf", now, "LIMIT", 0, ARGV[1])`,

  /** ARGV: id, for how long. */
  postpone: `${COMMON}
return call("ZADD", ours .. "expiry", "XX", clock() + tonumber(ARGV[2]), ARGV[1])`,

  /** ARGV: id, owner, for how long its owner is told that it has expired. */
  forget: `${COMMON}
local id, owner = ARGV[1], ARGV[2]
local queue = call("HGET", record(id), "queue")
if queue then
  call("DEL", record(id))
  call("HSET", record(id), "queue", queue, "owner", owner, "expired", 1)
  call("PEXPIRE", record(id), ARGV[3])
end
call("ZREM", ours .. "owner:" .. owner, id)
-- Last: as long as it stands there, it is looked at again.
call("ZREM", ours .. "expiry", id)
return 1`,

  /** ARGV: stream, event id, text, for how long. A stream holds its last 1,000 events. */
  streamAppend: `${COMMON}
local key, event = ours .. "stream:" .. ARGV[1], ARGV[2] .. "\\n" .. ARGV[3]
local left = call("PTTL", key)
call("ZADD", key, 0, event)
if left < tonumber(ARGV[4]) and not try("PEXPIRE", key, ARGV[4]) then
  try("ZREM", key, event)
  return redis.error_reply("the time that it is kept for was refused")
end
try("ZREMRANGEBYRANK", key, 0, -1001)
return 1`,

  /** ARGV: stream, event id or "". Gives what stands behind the id, each as the id, a line break, and the text. */
  streamRead: `${COMMON}
local from = ARGV[2] == "" and "-" or "[" .. ARGV[2] .. "\\11"
return call("ZRANGEBYLEX", ours .. "stream:" .. ARGV[1], from, "+")`,

  /** ARGV: stream. */
  streamClear: `${COMMON}
return call("DEL", ours .. "stream:" .. ARGV[1])`,
} as const;
