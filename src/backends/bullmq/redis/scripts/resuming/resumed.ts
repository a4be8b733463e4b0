/**
 * What earlier runs of a job have left for the next one. It travels with BullMQ's reply to the claim, so that nothing is
 * requested between the claim and the code.
 *
 * @module
 */
import type { Job } from "bullmq";
import type { RecordedStep } from "../../../../../backend.ts";
import { MAX_STEPS } from "../../../../../steps/recorded_steps.ts";
import type { Answers } from "../../../../../questions/open.ts";
import type { Answer } from "../../../../../task.ts";
import { OPEN } from "../questions.ts";

/** The field of BullMQ's job in which it travels: BullMQ drops unknown fields, and a running job has no result. */
export const CARRIER = "returnvalue";

/** How many steps are read with one command. */
const AT_ONCE = 20;

/** How much of the steps travels with a claim, in bytes. */
const CLAIM_BYTES = 16_384;

/**
 * Lua that reads the steps of a job from an index on, each as its index and its text, after the index from which there may
 * be more, or -1. It stops once they have `most` bytes.
 */
export const READ_STEPS = `
local function readSteps(key, from, most)
  local found, bytes = { -1 }, 0
  while from < ${MAX_STEPS} do
    local indexes = {}
    for index = from, math.min(from + ${AT_ONCE}, ${MAX_STEPS}) - 1 do table.insert(indexes, index) end
    local texts = redis.call("HMGET", key, unpack(indexes))
    for i, index in ipairs(indexes) do
      if texts[i] then
        if bytes >= most then
          found[1] = index
          return found
        end
        bytes = bytes + #texts[i]
        table.insert(found, index)
        table.insert(found, texts[i])
      end
    end
    from = from + ${AT_ONCE}
  end
  return found
end
`;

/**
 * Lua that reads what earlier runs of a job have left, as JSON. The answers are JSON already. Questions whose time has passed
 * expire first, unless its worker is only to stop or to fail the job. Needs `NAMES`, `CLOCK`, and `bull`, the prefix of BullMQ's
 * keys.
 */
export const READ_RESUMED = `
local call = redis.call
${OPEN}${READ_STEPS}
local function resumed(queue, id)
  local rec, steps = record(id), stepsOf(queue, id)
  local fields = call("HMGET", rec, "stop", "work", "answered", "open")
  if not fields[1] and call("HEXISTS", bull .. queue .. ":" .. id, "defa") == 0 then
    local open, _, set, delete = answerOpen(rec, fields[4], {}, clock())
    if #set > 0 then
      call("HSET", rec, "open", listOf(open), unpack(set))
      redis.pcall("HDEL", rec, unpack(delete))
      fields[3] = call("HGET", rec, "answered")
    end
  end
  local found = call("EXISTS", steps) == 1 and cjson.encode(readSteps(steps, 0, ${CLAIM_BYTES})) or "[-1]"
  return "[" .. ((fields[1] or fields[2]) and 1 or 0) .. "," .. found .. "," .. (fields[3] or "[]") .. "]"
end
`;

/** Steps, each as its index and its text, after the index from which there may be more, or -1. */
export type StepsReply = readonly [next: number, ...found: (string | number)[]];

/** Some of the steps of a job, in the order of their numbers. */
export interface StepsPage {
  readonly steps: readonly RecordedStep[];
  /** The index from which there may be more. */
  readonly next?: number;
}

/** Nothing is recorded. */
export const NO_STEPS: StepsPage = { steps: [] };

/** What earlier runs of a job have left for the next one. */
export interface Resumed {
  /** Whether its task is to stop. */
  readonly stops: boolean;
  /** The first steps that are recorded; `NO_STEPS` if there are none. */
  readonly recorded: StepsPage;
  /** The answers so far, by the keys of their questions. */
  readonly answers: Answers;
}

/** Parses a reply with steps. */
export function parseSteps([next, ...found]: StepsReply): StepsPage {
  const steps: RecordedStep[] = [];
  for (let at = 0; at < found.length; at += 2) steps.push({ index: Number(found[at]), text: String(found[at + 1]) });
  if (next >= 0) return { steps, next };
  return steps.length > 0 ? { steps } : NO_STEPS;
}

/** Whether its task is to stop, its steps, and each answer after its key. */
type ResumedReply = readonly [stops: number, steps: StepsReply, answered: readonly string[]];

/** Takes what has come with the claim of a job; `undefined` if Redis could not read it. */
export function carriedBy(job: Job): Resumed | undefined {
  const carried: unknown = job.returnvalue;
  if (!isResumed(carried)) return undefined;
  job.returnvalue = null; // As in every job that runs.
  const [stops, steps, answered] = carried;
  const answers: Record<string, Answer> = {};
  for (let at = 0; at < answered.length; at += 2) {
    answers[String(answered[at])] = JSON.parse(String(answered[at + 1]));
  }
  return { stops: stops === 1, recorded: parseSteps(steps), answers };
}

function isResumed(value: unknown): value is ResumedReply {
  return Array.isArray(value) && value.length === 3 && Array.isArray(value[1]);
}
