/**
 * The script that stores the records of new tasks, after BullMQ's own scripts have put their jobs into the queues.
 *
 * @module
 */
import type { NewTask } from "../../../../backend.ts";
import { ID_LENGTH } from "../../../../contract/task_key.ts";
import { CLOCKS_DIFFER_MS } from "../../../../ids.ts";
import type { KeyCondition } from "../../../shared/store/store.ts";
import { FORMAT } from "../keys.ts";
import { PLACES } from "./parts.ts";

/** The error of a task that was not stored because its condition does not hold. */
export const CONDITION_FAILED = "its key names something else";

/**
 * ARGV, for each task: id, owner, queue, delay, `resultTtl`, the key of its condition or "", what that must name ("task" or
 * "nothing"), the number of arguments that follow, and these: the record's other fields, the first of which is "job", each with
 * its value. Returns for each when it was stored, or an error, after which only events of the task are left: whatever BullMQ's
 * script did, a task is stored whole or not at all.
 *
 * A new queue's first events were written before this, in the same transaction, so subscriptions start a second
 * earlier.
 */
export const CREATE = `${PLACES}
-- BullMQ's script may have failed half-way. The job was only just added, so it is near the start of the list.
local function isQueued(q, id)
  return call("LPOS", q .. "wait", id, "MAXLEN", 1000) or call("ZSCORE", q .. "delayed", id) or
    call("ZSCORE", q .. "prioritized", id)
end

local function holds(id, owner, key, names)
  if key == "" then return true end
  local named = call("GET", ours .. "key:" .. owner .. ":" .. key)
  if names == "nothing" then return not named end
  return named and string.sub(named, 1, ${ID_LENGTH}) == id
end

local function store(known, id, owner, queue, delay, ttl, key, names, ...)
  if not known and not holds(id, owner, key, names) then error("${CONDITION_FAILED}") end
  local q, now = bull .. queue .. ":", clock()
  if not known and not isQueued(q, id) then error("its job is not in the queue") end
  -- BullMQ used the clock of whoever created the job.
  if delay > 0 then call("ZADD", q .. "delayed", "XX", math.ceil(now + delay) * 0x1000, id) end
  call("HSET", record(id), "owner", owner, "queue", queue, "ttl", ttl, "createdAt", now, ...)
  local ahead = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16) - now
  if ahead > tonumber(call("GET", ours .. "ahead") or 0) then
    call("SET", ours .. "ahead", string.format("%.0f", math.min(ahead, ${CLOCKS_DIFFER_MS})))
  end
  call("ZADD", ours .. "owner:" .. owner, 0, id)
  local job = select(2, ...)
  if not known then call("ZADD", ours .. "list:open:" .. job, 0, id) end
  if job ~= queue then call("SADD", ours .. "routes", queue .. ":" .. job) end
  call("ZADD", ours .. "expiry", now + delay + ttl, id)
  local isNew = call("SADD", ours .. "queues", queue) == 1
  if isNew then
    signal("queue " .. string.format("%d", now - 1000) .. " " .. queue)
    call("SET", ours .. "format", ${FORMAT}, "NX")
  end
  return now
end

local function undo(id, owner, queue, job)
  local q = bull .. queue .. ":"
  local isRead, queued = pcall(isQueued, q, id)
  try("LREM", q .. "wait", 1, id)
  try("ZREM", q .. "delayed", id)
  try("ZREM", q .. "prioritized", id)
  try("DEL", q .. id)
  try("ZREM", ours .. "expiry", id)
  try("ZREM", ours .. "owner:" .. owner, id)
  try("ZREM", ours .. "list:open:" .. job, id)
  try("DEL", record(id))
  -- So that the events add up to the jobs that are there.
  if isRead and queued then pcall(publish, queue, id, "removed", "prev", "waiting") end
end

local stored = {}
local i = 1
while i < #ARGV do
  local id, owner, queue, last = ARGV[i], ARGV[i + 1], ARGV[i + 2], i + 7 + ARGV[i + 7]
  local known = redis.pcall("EXISTS", record(id)) == 1
  local delay, ttl = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local done, what = pcall(store, known, id, owner, queue, delay, ttl, ARGV[i + 5], ARGV[i + 6], unpack(ARGV, i + 8, last))
  if not done and not known then undo(id, owner, queue, ARGV[i + 9]) end
  table.insert(stored, done and what or errorOf(what))
  i = last + 1
end
return stored`;

/** A task as arguments of the script. */
export function createArguments(
  { queue, task, condition }: { readonly queue: string; readonly task: NewTask; readonly condition?: KeyCondition },
): (string | number)[] {
  const { id, owner, job, resultTtl, retry, delay = 0, retryOf } = task;
  const fields = ["job", job, "attempts", retry.attempts];
  if (delay > 0) fields.push("delayed", delay);
  if (retryOf !== undefined) fields.push("retryOf", retryOf);
  const { name: key = "", names = "" } = condition ?? {};
  return [id, owner, queue, delay, resultTtl, key, names, fields.length, ...fields];
}
