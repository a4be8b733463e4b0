/**
 * What our Lua scripts on Redis have in common.
 *
 * @module
 */

/** Where things are, and how to do what may fail. */
export const PLACES = `
local ours = KEYS[1]
local bull = string.sub(ours, 1, -10)
local call = redis.call

local function record(id) return ours .. "task:" .. id end

-- Does what may fail behind the write that counts. Gives whether it was done.
local function try(...)
  local reply = redis.pcall(...)
  return type(reply) ~= "table" or not reply.err
end

-- Tells everyone who has subscribed. What could not be told is found by those who look.
local function signal(text) try("PUBLISH", ours .. "signals", text) end
`;

/** What most scripts know: where things are, and how a job stands. */
export const COMMON = `${PLACES}

-- The wait list may be long, so it is never searched: a job that is nowhere else waits.
local function standing(queue, id, storedAt, finishedOn)
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
  return standing(queue, id, job[1], job[2])
end

local function isOver(state) return state == "completed" or state == "failed" or state == "unknown" end

-- Everyone who listens to the queue's events hears of the change. As many are kept as BullMQ keeps.
local function tell(queue, id)
  local most = call("HGET", bull .. queue .. ":meta", "opts.maxLenEvents") or 10000
  try("XADD", bull .. queue .. ":events", "MAXLEN", "~", most, "*", "event", "mcp-jobs", "jobId", id)
end

local function changed(id, now)
  call("HINCRBY", record(id), "changes", 1)
  call("HSET", record(id), "changedAt", now)
end
`;
