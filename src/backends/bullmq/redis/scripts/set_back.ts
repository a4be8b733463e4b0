/**
 * Corrects the times that are stored in Redis after its own clock was set back: by the new time, they are too far
 * ahead.
 *
 * @module
 */

/** The smallest step back that is corrected, in ms: waiting for less does less harm than shortening a valid lock. */
const LEAST_MS = 600_000;

/**
 * Runs before expired tasks are looked up. The expiry of a key is a time by Redis's clock, so the locks of dead
 * workers, the pause between two searches for them, and a queue's rate limit would last longer by as much as the clock
 * was set back.
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
  local tasks = call("ZRANGE", ours .. "expiry", 0, -1, "WITHSCORES")
  for i = 1, #tasks, 2 do call("ZADD", ours .. "expiry", "XX", tonumber(tasks[i + 1]) - back, tasks[i]) end
end

local function noticeSetBack(now)
  if call("EXISTS", ours .. "queues") == 0 then return end
  local back = (tonumber(call("GET", ours .. "clock")) or now) - now
  if back > ${LEAST_MS} then setBack(back, now) end
  call("SET", ours .. "clock", now)
end
`;
