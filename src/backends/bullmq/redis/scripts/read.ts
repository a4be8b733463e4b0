/**
 * The script that reads tasks: of each, the job in BullMQ's queue and the record of ours beside it.
 *
 * @module
 */
import type { Answer, CancelledTask, Json, Question } from "../../../../task.ts";
import { type JobState, type Snapshot, STALLED } from "../../snapshot.ts";
import { CANCEL, COMMON, DUE } from "./parts.ts";
import { LOSSES, type StoredLosses } from "./resuming/losses.ts";
import { PARKED } from "./resuming/queue_again.ts";

/** The fields of a record that are read, in this order. */
const RECORD_FIELDS = [
  "queue",
  "job",
  "owner",
  "ttl",
  "createdAt",
  "attempts",
  "delayed",
  "changes",
  "changedAt",
  "stop",
  "work",
  "workAt",
  "workAttempt",
  "goneAt",
  "fault",
  "expired",
  "open",
  "workProgress",
  "workRun",
  "handedBack",
  "handBacks",
  "endedAt",
  "askedBy",
  "failedRun",
  "workDied",
  "resumes",
  "parks",
  "logged",
  "retryOf",
  "expiredQuestions",
] as const;

/** The fields of BullMQ's job that are read, in this order. */
const JOB_FIELDS = [
  "processedOn",
  "finishedOn",
  "ats",
  "atm",
  "stc",
  "progress",
  "failedReason",
  "timestamp",
  "pb",
  PARKED,
  LOSSES,
] as const;

/** The name of our workers: BullMQ stores in a job the name of the worker that ran it last. */
export const WORKER = "mcp-jobs";

/** A field of the record, as `readTask` has read it. */
const field = (name: typeof RECORD_FIELDS[number]) => `fields[${RECORD_FIELDS.indexOf(name) + 1}]`;

/** A field of the job, likewise. */
const ofJob = (name: typeof JOB_FIELDS[number]) => `job[${JOB_FIELDS.indexOf(name) + 1}]`;

const quoted = (names: readonly string[]) => names.map((name) => `"${name}"`).join(", ");

/**
 * Lua that reads a task and, on request, its result. Returns the record's fields, the job's state, when it is due,
 * the job's fields, the questions and the result, with `false` for what is absent; `false` for a task of another owner.
 */
export const READ_TASK = `${DUE}${CANCEL}
local function waits(state) return state ~= "active" and not isOver(state) end
local function fieldsOf(id) return call("HMGET", record(id), ${quoted(RECORD_FIELDS)}) end

local function readTask(id, owner, withResult, now)
  local rec = record(id)
  local fields = fieldsOf(id)
  local queue = (owner == "" or owner == ${field("owner")}) and ${field("queue")}
  if not queue then return false end
  local job = call("HMGET", bull .. queue .. ":" .. id, ${quoted(JOB_FIELDS)})
  local state = jobState(queue, id, ${ofJob("timestamp")}, ${ofJob("finishedOn")})
  if ${field("stop")} and not ${field("work")} and (waits(state) or ${ofJob("failedReason")} == "${STALLED}") then
    -- It was asked to stop while it ran, and runs no more: nobody is left to confirm it.
    if pcall(cancelTask, queue, id, state, now) then fields = fieldsOf(id) end
  end
  if state == "unknown" and not ${field("work")} and not ${field("goneAt")} and not ${field("expired")} then
    if try("HSET", rec, "goneAt", now) then listIn("FAILED", id, ${field("job")}) end
    ${field("goneAt")} = now
  end
  if (state == "completed" or state == "failed") and ${ofJob("pb")} ~= "${WORKER}" and not ${field("endedAt")} then
    -- It ended by the clock of a worker that is not ours. What counts is when it was first seen here.
    if try("HSET", rec, "endedAt", now) then
      ${field("endedAt")} = now
      moveTo(string.upper(state), queue, id)
    end
  end
  if ${ofJob("ats")} and ${ofJob("pb")} ~= "${WORKER}" and not isOver(state) and not ${field("work")} then
    -- A worker that is not ours does not keep the lists, so whoever reads its task does.
    local list = waits(state) and (${ofJob("failedReason")} or tonumber(${
  ofJob("atm")
} or 0) > 0) and "retrying" or "open"
    if not call("ZSCORE", listKey(list, ${field("job")}), id) then listIn(list, id, ${field("job")}) end
  end
  if state == "active" and ${ofJob("progress")} then
    -- A worker that is not ours counts no changes, so whoever sees one counts it.
    local seen = redis.sha1hex(${ofJob("progress")})
    if call("HGET", rec, "seen") ~= seen and try("HSET", rec, "seen", seen, "changedAt", now) then
      try("HINCRBY", rec, "changes", 1)
      ${field("changes")}, ${field("changedAt")} = call("HGET", rec, "changes"), now
    end
  end
  local questions = {}
  if ${field("open")} then
    for _, name in ipairs(cjson.decode(${field("open")})) do
      table.insert(questions, call("HGET", rec, "question:" .. name))
    end
  end
  local due = state == "delayed" and dueAt(queue, id, now)
  local result = withResult and state == "completed" and call("HGET", bull .. queue .. ":" .. id, "returnvalue")
  return { fields, state, due, job, #questions > 0 and questions, result }
end
`;

/**
 * ARGV: ids, each followed by its owner or "", and by 1 to read its result, too, or 0. Returns the time, and then each task
 * as `readTask` has it. All is one JSON text, in which `false` stands for what is absent: parsing one text is far faster
 * than reading as many values.
 */
export const READ = `${COMMON}${READ_TASK}
local now = clock()
local found = { now }
for i = 1, #ARGV, 3 do table.insert(found, readTask(ARGV[i], ARGV[i + 1], ARGV[i + 2] == "1", now)) end
return cjson.encode(found)`;

/** A value, or `false` where there is none. */
type Maybe<T> = T | false;

/** What the script returns for one task. */
export type TaskReply = readonly [
  record: readonly Maybe<string>[],
  state: JobState,
  due: Maybe<number>,
  job: readonly Maybe<string>[],
  questions: Maybe<readonly string[]>,
  result: Maybe<string>,
];

/** Parses the script's reply about these ids. */
export function parseReply(ids: readonly string[], reply: string): readonly (Snapshot | undefined)[] {
  const [now, ...tasks]: [number, ...Maybe<TaskReply>[]] = JSON.parse(reply);
  return ids.map((id, index) => toSnapshot(id, now, tasks[index] ?? false));
}

/** The task, from the script's reply at a time. */
export function toSnapshot(id: string, now: number, reply: Maybe<TaskReply>): Snapshot | undefined {
  if (reply === false) return undefined;
  const [recordValues, state, due, jobValues, questions, result] = reply;
  const record = zip(RECORD_FIELDS, recordValues);
  const job = zip(JOB_FIELDS, jobValues);
  return {
    id,
    readAt: now,
    queue: record.queue ?? "",
    job: record.job ?? "",
    owner: record.owner ?? "",
    resultTtl: Number(record.ttl),
    createdAt: Number(record.createdAt),
    attempts: Number(record.attempts),
    delayed: record.delayed !== undefined,
    changes: Number(record.changes ?? 0),
    changedAt: Number(record.changedAt ?? 0),
    questions: questions === false
      ? undefined
      : questions.map((question) => parse<Question>(question)).filter((question) => question !== undefined),
    stopRequested: record.stop !== undefined,
    cancelled: record.work === undefined ? undefined : {
      work: record.work as CancelledTask["work"],
      at: Number(record.workAt),
      attempt: Number(record.workAttempt),
      progress: parse(record.workProgress ?? null),
      started: Number(record.workRun),
      died: record.workDied === "1",
    },
    goneAt: number(record.goneAt),
    fault: parse(record.fault ?? null),
    handedBack: number(record.handedBack),
    handBacks: Number(record.handBacks ?? 0),
    parkedRun: number(job[PARKED]),
    parks: Number(record.parks ?? 0),
    retryOf: record.retryOf,
    expiredQuestions: parse(record.expiredQuestions ?? null),
    resumes: number(record.resumes),
    failedRun: number(record.failedRun),
    askedBy: number(record.askedBy),
    logged: number(record.logged),
    ours: job.pb === WORKER,
    expired: record.expired !== undefined,
    state,
    dueAt: due === false ? undefined : due,
    processedOn: number(job.processedOn),
    finishedOn: number(record.endedAt) ?? number(job.finishedOn),
    started: Number(job.ats ?? 0),
    ended: Number(job.atm ?? 0),
    stalled: Number(job.stc ?? 0),
    losses: parse<StoredLosses & Json>(job[LOSSES] ?? null) ?? {},
    progress: parse(job.progress ?? null), // BullMQ on Node stores "" for `undefined`.
    failedReason: job.failedReason,
    ...(result !== false && { result }),
  };
}

function zip<Name extends string>(names: readonly Name[], values: readonly Maybe<string>[]) {
  const fields: { [name in Name]?: string } = {};
  for (const [index, name] of names.entries()) {
    const value = values[index];
    if (value !== false) fields[name] = value;
  }
  return fields;
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** `undefined` for what is absent, and for what is not JSON: one bad text must not keep others from being read. */
export function parse<T extends Answer | Question | Json>(text: string | null): T | undefined {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    // Another program has written it.
    return undefined;
  }
}
