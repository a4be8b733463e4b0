/**
 * What becomes of the times that stand in a Redis whose own clock was set back: by the new one they lie too far ahead.
 *
 * @module
 */

/** By how much the clock must have been set back, in ms: waiting for less harms less than a lock that is cut short. */
const FAR_MS = 600_000;

/**
 * Before tasks are looked at. Redis counts down what a key has to live by its clock, so the locks of dead workers, the
 * pause between two searches for them, and a queue's rate limit would last as much longer as the clock was set back.
 */
export const SET_BACK = `
local function setBack(back, now)
  local function shorten(key)
    local left = call("PTTL", key)
    if left > back then call("PEXPIRE", key, left - back) end
  end
  for _, queue in ipairs(call("SMEMBERS", ours .. "queues")) do
    local q = bull .. queue .. ":"
    shorten(q .. "stalled-check")
    shorten(q .. "limiter")
    for _, id in ipairs(call("LRANGE", q .. "active", 0, -1)) do shorten(q .. id .. ":lock") end
    for _, id in ipairs(call("ZRANGE", q .. "delayed", 0, -1)) do
      if call("EXISTS", record(id)) == 1 then dueAt(queue, id, now) end
    end
  end
  local looks = call("ZRANGE", ours .. "expiry", 0, -1, "WITHSCORES")
  for i = 1, #looks, 2 do call("ZADD", ours .. "expiry", "XX", tonumber(looks[i + 1]) - back, looks[i]) end
end

local function noticeSetBack(now)
  if call("EXISTS", ours .. "queues") == 0 then return end
  local back = (tonumber(call("GET", ours .. "clock")) or now) - now
  if back > ${FAR_MS} then setBack(back, now) end
  call("SET", ours .. "clock", now)
end
`;
