/**
 * The scripts that read tasks of all owners, and workers, for an operator. What they cost does not grow with the number of
 * finished tasks.
 *
 * @module
 */
import { HEADS } from "../../../../operator/counts.ts";
import { LUA_LISTS } from "./lists.ts";
import { COMMON } from "./parts.ts";

/** Every job that has tasks, with its queues: the one of its name, and those to which it is routed. */
const JOBS = `
local function queuesOf(only)
  local jobs = {}
  for _, queue in ipairs(call("SMEMBERS", ours .. "queues")) do jobs[queue] = { queue } end
  for _, route in ipairs(call("SMEMBERS", ours .. "routes")) do
    local queue, job = string.match(route, "^([^:]*):(.*)$")
    jobs[job] = jobs[job] or {}
    table.insert(jobs[job], queue)
  end
  return only == "" and jobs or { [only] = jobs[only] }
end
`;

/**
 * ARGV: the ids that all ids are to sort before and that none may sort before, each or "", how many, a job or "", an owner
 * or "", 1 if running tasks are to be found or 0, and the names of lists. Returns ids, newest first. The tasks of the owner
 * are found among all of theirs if these are fewer than are in the lists.
 */
export const PAGE = `${COMMON}${JOBS}
local before, from, limit, owner = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[5]
local min = from == "" and "-" or "[" .. from
local sources, size = {}, 0
local function fill(source)
  source.ids = call("ZREVRANGEBYLEX", source.key, source.max, min, "LIMIT", 0, 32)
  source.at = 1
  if #source.ids > 0 then source.max = "(" .. source.ids[#source.ids] end
end
local function add(key)
  local source = { key = key, max = before == "" and "+" or "(" .. before }
  fill(source)
  if #source.ids > 0 then table.insert(sources, source) end
end
local jobs = queuesOf(ARGV[4])
for job, queues in pairs(jobs) do
  for i = 7, #ARGV do size = size + call("ZCARD", listKey(ARGV[i], job)) end
  for _, queue in ipairs(ARGV[6] == "1" and queues or {}) do size = size + call("LLEN", bull .. queue .. ":active") end
end
if owner ~= "" and call("ZCARD", ours .. "owner:" .. owner) <= size then
  add(ours .. "owner:" .. owner)
else
  local running = { at = 1, ids = {} }
  for job, queues in pairs(jobs) do
    for i = 7, #ARGV do add(listKey(ARGV[i], job)) end
    for _, queue in ipairs(ARGV[6] == "1" and queues or {}) do
      for _, id in ipairs(call("LRANGE", bull .. queue .. ":active", 0, -1)) do
        local isBetween = (before == "" or id < before) and id >= from
        if isBetween and call("ZSCORE", listKey("open", job), id) then table.insert(running.ids, id) end
      end
    end
  end
  table.sort(running.ids, function(a, b) return a > b end)
  if #running.ids > 0 then table.insert(sources, running) end
end
local found = {}
while #found < limit and #sources > 0 do
  local newest = 1
  for i, source in ipairs(sources) do
    if source.ids[source.at] > sources[newest].ids[sources[newest].at] then newest = i end
  end
  local source = sources[newest]
  table.insert(found, source.ids[source.at])
  source.at = source.at + 1
  if source.at > #source.ids and source.key then fill(source) end
  if source.at > #source.ids then table.remove(sources, newest) end
end
return found`;

/**
 * Returns for every job its name, the sizes of its lists in their order, how many tasks run, how many of the running ask,
 * and since when the longest-waiting of the first in line waits or `false`; as JSON.
 */
export const COUNTS = `${COMMON}${JOBS}
local now, jobs, counts = clock(), {}, {}
for job in pairs(queuesOf("")) do
  local sizes = {}
  for _, name in ipairs(${LUA_LISTS}) do
    table.insert(sizes, call("ZCARD", listKey(name, job)))
  end
  jobs[job] = { job, sizes, 0, 0, false }
  table.insert(counts, jobs[job])
end
local function waitsSince(job, since)
  if jobs[job] and since <= (jobs[job][5] or since) then jobs[job][5] = since end
end
for _, queue in ipairs(call("SMEMBERS", ours .. "queues")) do
  local q = bull .. queue .. ":"
  for _, id in ipairs(call("LRANGE", q .. "active", 0, -1)) do
    local fields = call("HMGET", record(id), "job", "work", "open", "askedBy")
    local count = not fields[2] and jobs[fields[1]]
    if count then
      local asks = fields[3] and fields[3] ~= "[]" and fields[4] == call("HGET", q .. id, "ats")
      count[3] = count[3] + 1
      if asks then count[4] = count[4] + 1 end
    end
  end
  local heads, least = call("LRANGE", q .. "wait", -${HEADS}, -1), 0
  for _ = 1, ${HEADS} do
    local min = string.format("%.0f", least)
    local first = call("ZRANGEBYSCORE", q .. "prioritized", min, "+inf", "WITHSCORES", "LIMIT", 0, ${HEADS})
    if not first[1] then break end
    least = (math.floor(first[2] / 0x100000000) + 1) * 0x100000000
    for i = 1, #first, 2 do
      if tonumber(first[i + 1]) < least then table.insert(heads, first[i]) end
    end
  end
  for _, id in ipairs(heads) do
    local fields = call("HMGET", record(id), "job", "work", "createdAt", "delayed", "changedAt")
    if fields[1] and not fields[2] then
      local due = fields[3] + (tonumber(fields[4]) or 0)
      waitsSince(fields[1], math.max(due, tonumber(fields[5]) or 0, tonumber(call("HGET", q .. id, "processedOn") or 0)))
    end
  end
  -- Nobody has queued these yet.
  local due = call("ZRANGEBYSCORE", q .. "delayed", 0, string.format("%.0f", now * 0x1000), "WITHSCORES", "LIMIT", 0, 1)
  local job = due[1] and call("HGET", record(due[1]), "job")
  if job then waitsSince(job, math.floor(due[2] / 0x1000)) end
end
return #counts > 0 and cjson.encode(counts) or "[]"`;

/** `living(now)` returns what each living worker has reported about itself, and deletes what dead ones have left. */
export const LIVING = `
local function living(now)
  local found, all = {}, call("HGETALL", ours .. "workers")
  for i = 1, #all, 2 do
    if cjson.decode(all[i + 1])["until"] > now then
      table.insert(found, all[i + 1])
    else
      call("HDEL", ours .. "workers", all[i])
    end
  end
  return found
end`;

/**
 * Returns what each living worker has reported about itself, and the id and the lock's token of every job that runs in one of
 * their queues.
 */
export const WORKERS = `${COMMON}${LIVING}
local workers, queues, held = living(clock()), {}, {}
for _, text in ipairs(workers) do
  for _, queue in ipairs(cjson.decode(text).jobs) do queues[queue] = true end
end
for queue in pairs(queues) do
  for _, id in ipairs(call("LRANGE", bull .. queue .. ":active", 0, -1)) do
    table.insert(held, id)
    table.insert(held, call("GET", bull .. queue .. ":" .. id .. ":lock") or "")
  end
end
return { workers, held }`;

/** ARGV: a job, and 1 to remember that it is paused, or 0. Returns its queues. */
export const PAUSE = `${COMMON}${JOBS}
call(ARGV[2] == "1" and "SADD" or "SREM", ours .. "paused", ARGV[1])
return queuesOf(ARGV[1])[ARGV[1]] or { ARGV[1] }`;

/** Returns the jobs whose queues are all paused, and that have tasks or were paused by name. */
export const PAUSED = `${COMMON}${JOBS}
local jobs, known, paused = queuesOf(""), {}, {}
for _, job in ipairs(call("SMEMBERS", ours .. "paused")) do
  jobs[job], known[job] = jobs[job] or { job }, true
end
for job, queues in pairs(jobs) do
  local all = true
  for _, queue in ipairs(queues) do all = all and call("HEXISTS", bull .. queue .. ":meta", "paused") == 1 end
  local tasks = 0
  for _, name in ipairs(${LUA_LISTS}) do tasks = tasks + (all and call("ZCARD", listKey(name, job)) or 0) end
  if all and (known[job] or tasks > 0) then table.insert(paused, job) end
end
return paused`;

/** ARGV: a list, a job, an id or "", how many. Returns the ids of the list that come after it. */
export const AFTER = `${COMMON}
return call("ZRANGEBYLEX", listKey(ARGV[1], ARGV[2]), ARGV[3] == "" and "-" or "(" .. ARGV[3], "+", "LIMIT", 0, ARGV[4])`;

/**
 * ARGV: id. Returns the record's job, owner, queue and `resultTtl`, and then the name, the input and the options with which
 * its job was added: from there, or as they were when it was cancelled.
 */
export const SUBMITTED = `${COMMON}
local fields = call("HMGET", record(ARGV[1]), "job", "owner", "queue", "ttl", "jobName", "data", "opts")
if not fields[3] then return false end
local job = call("HMGET", bull .. fields[3] .. ":" .. ARGV[1], "name", "data", "opts")
for i = 1, 3 do fields[4 + i] = job[i] or fields[4 + i] or "" end
return fields`;
