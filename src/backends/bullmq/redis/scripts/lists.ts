/**
 * The lists of all tasks, for an operator: each task is in one list of its job, sorted by id. BullMQ's own sets are sorted by
 * other things, and do not tell which of their jobs are ours.
 *
 * @module
 */

/**
 * Where a task is listed: with its final status; `retrying` from the failure of an attempt until the next one starts;
 * `asking` and `sleeping` while it is parked, with open questions or without; otherwise `open`, also while it runs.
 */
export const LISTS = ["open", "retrying", "asking", "sleeping", "COMPLETED", "FAILED", "CANCELLED"] as const;

/** One of these lists. */
export type List = typeof LISTS[number];

/** Their names, as a table of Lua. */
export const LUA_LISTS = `{ ${LISTS.map((name) => `"${name}"`).join(", ")} }`;

/**
 * Moves tasks between lists. This comes after the write that counts, so nothing here may fail: a task in the wrong list is
 * corrected by its next move. Needs `NAMES`.
 */
export const MOVES = `
local function drop(id, job)
  for _, name in ipairs(${LUA_LISTS}) do
    redis.pcall("ZREM", listKey(name, job), id)
  end
end

local function listIn(name, id, job)
  drop(id, job)
  redis.pcall("ZADD", listKey(name, job), 0, id)
end

-- Most tasks are in the list "open" of a job with the name of their queue. Those of a route have another; a cancelled task
-- stays where it is, and a job that is no task of ours is in no list.
local function moveTo(name, queue, id, from)
  if redis.pcall("ZREM", listKey(from or "open", queue), id) == 1 then
    redis.pcall("ZADD", listKey(name, queue), 0, id)
    return
  end
  local fields = redis.pcall("HMGET", record(id), "job", "work", "expired")
  if fields[1] and not fields[2] and not fields[3] then listIn(name, id, fields[1]) end
end
`;
