/**
 * The script that stores the records of new tasks, behind BullMQ's own that have put their jobs into the queues.
 *
 * @module
 */
import { PLACES } from "./script_parts.ts";

/**
 * ARGV, for each task: id, owner, queue, when to look whether it has expired, how many arguments follow, and these: the
 * record's other fields, each with its value. Gives for each 1, or what was wrong with it, and then nothing of it is
 * left: whatever BullMQ has said of the job, a task is stored whole or not at all.
 *
 * A queue's first events were told before this, in the same transaction, so it is listened to from a second ago on.
 */
export const CREATE = `${PLACES}
-- BullMQ's script may have failed on its way. The job was only just put there, so it is among the first that wait.
local function isQueued(q, id)
  return call("LPOS", q .. "wait", id, "MAXLEN", 1000) or call("ZSCORE", q .. "delayed", id) or
    call("ZSCORE", q .. "prioritized", id)
end

local function store(known, id, owner, queue, look, ...)
  if not known and not isQueued(bull .. queue .. ":", id) then error("its job is not in the queue") end
  call("HSET", record(id), "owner", owner, "queue", queue, ...)
  call("ZADD", ours .. "owner:" .. owner, 0, id)
  call("ZADD", ours .. "expiry", look, id)
  return call("SADD", ours .. "queues", queue) == 1
end

local function tellOf(queue)
  local time = call("TIME")
  signal("queue " .. string.format("%d%03d", time[1] - 1, math.floor(time[2] / 1000)) .. " " .. queue)
end

local function takeBack(id, owner, queue)
  local q = bull .. queue .. ":"
  try("LREM", q .. "wait", 1, id)
  try("ZREM", q .. "delayed", id)
  try("ZREM", q .. "prioritized", id)
  try("DEL", q .. id)
  try("ZREM", ours .. "expiry", id)
  try("ZREM", ours .. "owner:" .. owner, id)
  try("DEL", record(id))
end

local stored = {}
local i = 1
while i < #ARGV do
  local id, owner, queue, last = ARGV[i], ARGV[i + 1], ARGV[i + 2], i + 4 + ARGV[i + 4]
  local known = redis.pcall("EXISTS", record(id)) == 1
  local done, isNew = pcall(store, known, id, owner, queue, ARGV[i + 3], unpack(ARGV, i + 5, last))
  if done then
    if isNew then pcall(tellOf, queue) end
    table.insert(stored, 1)
  else
    if not known then takeBack(id, owner, queue) end
    table.insert(stored, tostring(type(isNew) == "table" and isNew.err or isNew))
  end
  i = last + 1
end
return stored`;
