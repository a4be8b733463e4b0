/**
 * How jobs that were parked are queued again: ahead of new work.
 *
 * @module
 */

/** The field that we add to a job of BullMQ's: the number of its run that was parked last. */
export const PARKED = "mcp-jobs:parked";

/** The most jobs that others can be put behind: as many as Lua passes to one command of Redis, with some to spare. */
const MAX_AHEAD = 4_000;

/**
 * Lua that queues jobs that were parked. A job with a priority comes before all others of the same priority. One without comes
 * before new work, but behind those that were parked and are queued already: new work is at the left of the list, and what runs
 * next at its right.
 */
export const QUEUE_AGAIN = `
local function wasParked(key)
  local run = redis.call("HMGET", key, "ats", "${PARKED}")
  return run[1] and run[1] == run[2]
end

local function queueAgain(q, ids)
  local wait, plain = q .. "wait", {}
  for _, id in ipairs(ids) do
    local priority = tonumber(redis.call("HGET", q .. id, "priority")) or 0
    if priority == 0 then
      table.insert(plain, id)
    else
      redis.call("ZADD", q .. "prioritized", priority * 0x100000000, id)
    end
  end
  if #plain == 0 then return end
  local function isAhead(place)
    local other = place <= ${MAX_AHEAD} and redis.call("LINDEX", wait, -place)
    return other and wasParked(q .. other)
  end
  -- They stand together, so that a few looks find how many there are.
  local ahead, beyond = 0, 1
  while isAhead(beyond) do ahead, beyond = beyond, beyond * 2 end
  while beyond - ahead > 1 do
    local middle = math.floor((ahead + beyond) / 2)
    if isAhead(middle) then ahead = middle else beyond = middle end
  end
  local queued = {}
  for i = #plain, 1, -1 do table.insert(queued, plain[i]) end
  if ahead > 0 then
    for _, other in ipairs(redis.call("LRANGE", wait, -ahead, -1)) do table.insert(queued, other) end
    redis.call("LTRIM", wait, 0, -ahead - 1)
  end
  redis.call("RPUSH", wait, unpack(queued))
end
`;

/** The same for our scripts, which also have to wake a worker. */
export const TO_FRONT = `${QUEUE_AGAIN}
local function toFront(queue, ids)
  local q = bull .. queue .. ":"
  queueAgain(q, ids)
  local meta = call("HMGET", q .. "meta", "paused", "concurrency")
  if not meta[1] and call("LLEN", q .. "active") < (tonumber(meta[2]) or math.huge) then
    call("ZADD", q .. "marker", 0, "0")
  end
end
`;
