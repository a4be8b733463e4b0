/**
 * The script that stores answers, and queues the parked tasks again that have all of theirs.
 *
 * @module
 */
import type { Answer } from "../../../../../task.ts";
import { BackendError } from "../../../../../errors.ts";
import type { Snapshot } from "../../../snapshot.ts";
import { COMMON } from "../parts.ts";
import { OPEN } from "../questions.ts";
import { READ_TASK, type TaskReply, toSnapshot } from "../read.ts";
import { PARKED, TO_FRONT } from "./queue_again.ts";

/** Answers to the questions of an owner's task, by key. */
export interface AnswerRequest {
  readonly id: string;
  readonly owner: string;
  readonly answers: { readonly [key: string]: Answer };
}

/** What became of them: the keys of those that count, and the task as it is then; `undefined` where the owner has none. */
export interface Stored {
  readonly counted: readonly string[];
  readonly task: Snapshot | undefined;
}

/**
 * ARGV, for each task: id, owner, how many arguments follow, and these: keys and answers. Returns as JSON the time, and for
 * each task the keys of the answers that count, and the task as `readTask` has it, or why it cannot be read; or why its
 * answers cannot be stored.
 */
export const ANSWER = `${COMMON}${OPEN}${TO_FRONT}${READ_TASK}
local now, again, numbers = clock(), {}, {}

-- A parked job has all its answers. It is queued with the others.
local function resume(queue, id, ttl)
  local q = bull .. queue .. ":"
  if call("ZREM", q .. "delayed", id) == 0 then return false end
  again[queue] = again[queue] or {}
  table.insert(again[queue], id)
  call("HSET", q .. id, "delay", 0)
  moveTo("open", queue, id, "asking")
  -- Its end is to be noticed soon.
  call("ZADD", ours .. "expiry", "XX", now + ttl, id)
  return true
end

local function store(id, owner, given)
  local rec, counted = record(id), {}
  local queue, names, work, whose, ttl = unpack(call("HMGET", rec, "queue", "open", "work", "owner", "ttl"))
  if not queue or whose ~= owner or not names or work then return counted end
  local job = call("HMGET", bull .. queue .. ":" .. id, "timestamp", "finishedOn", "ats", "${PARKED}")
  if not job[1] or job[2] and isOver(jobState(queue, id, job[1], job[2])) then return counted end
  local open, answers, set, delete = answerOpen(rec, names, given, now)
  if #set == 0 then return counted end
  numbers[id] = changed(id, now)
  call("HSET", rec, "open", listOf(open), unpack(set))
  try("HDEL", rec, unpack(delete))
  local resumes = #open == 0 and job[3] and job[3] == job[4] and resume(queue, id, tonumber(ttl))
  if not resumes then
    publish(queue, id, "mcp-jobs", "change", numbers[id])
    signal("answer " .. id)
  end
  for name, answer in pairs(answers) do
    if answer == given[name] then table.insert(counted, name) end
  end
  return counted
end

local replies, i = { now }, 1
while i < #ARGV do
  local given, last = {}, i + 2 + ARGV[i + 2]
  for at = i + 3, last, 2 do given[ARGV[at]] = ARGV[at + 1] end
  local done, what = pcall(store, ARGV[i], ARGV[i + 1], given)
  table.insert(replies, done and { #what > 0 and what, false } or errorOf(what))
  i = last + 1
end
for queue, ids in pairs(again) do
  toFront(queue, ids)
  for _, id in ipairs(ids) do publish(queue, id, "waiting", "prev", "delayed", "change", numbers[id]) end
end
i = 1
for at = 2, #replies do
  local reply = replies[at]
  if type(reply) == "table" then
    local read, task = pcall(readTask, ARGV[i], ARGV[i + 1], false, now)
    reply[2] = read and task or not read and errorOf(task)
  end
  i = i + 3 + ARGV[i + 2]
end
return cjson.encode(replies)`;

/** What is to be stored as arguments of the script. */
export function answerArguments({ id, owner, answers }: AnswerRequest): (string | number)[] {
  const given = Object.entries(answers).flatMap(([key, answer]) => [key, JSON.stringify(answer)]);
  return [id, owner, given.length, ...given];
}

/** What the script returns for each task. */
type StoredReply = readonly [counted: readonly string[] | false, task: TaskReply | false | string];

/** Parses the script's reply. */
export function parseStored(requests: readonly AnswerRequest[], reply: string): readonly (Stored | Error)[] {
  const [now, ...replies]: [number, ...(StoredReply | string)[]] = JSON.parse(reply);
  return requests.map(({ id }, index) => {
    const stored = replies[index] ?? "Redis has not said what became of it.";
    if (typeof stored === "string") return new Error(stored);
    const [counted, task] = stored;
    if (typeof task !== "string") return { counted: counted || [], task: toSnapshot(id, now, task) };
    return new BackendError(`Cannot read task ${id} (its answers are stored): Redis failed: ${task}`);
  });
}
