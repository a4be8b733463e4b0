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
 * Lua that queues jobs without priority that were parked: ahead of new work, and behind those that were parked and are
 * queued already. New work is at the left of the list, and what runs next at its right.
 */
export const QUEUE_AGAIN = `
local function queueAgain(wait, prefix, ids)
  local function wasParked(place)
    local other = place <= ${MAX_AHEAD} and redis.call("LINDEX", wait, -place)
    local run = other and redis.call("HMGET", prefix .. other, "ats", "${PARKED}")
    return run and run[1] and run[1] == run[2]
  end
  -- They stand together, so that a few looks find how many there are.
  local ahead, beyond = 0, 1
  while wasParked(beyond) do ahead, beyond = beyond, beyond * 2 end
  while beyond - ahead > 1 do
    local middle = math.floor((ahead + beyond) / 2)
    if wasParked(middle) then ahead = middle else beyond = middle end
  end
  local queued = {}
  for i = #ids, 1, -1 do table.insert(queued, ids[i]) end
  if ahead > 0 then
    for _, other in ipairs(redis.call("LRANGE", wait, -ahead, -1)) do table.insert(queued, other) end
    redis.call("LTRIM", wait, 0, -ahead - 1)
  end
  redis.call("RPUSH", wait, unpack(queued))
end
`;
