/**
 * The script that stores the questions of a run, and how open questions are answered.
 *
 * @module
 */
import type { QuestionState } from "../../../../questions/open.ts";
import type { Answer, NewQuestion } from "../../../../task.ts";
import { COMMON } from "./parts.ts";
import { parse } from "./read.ts";

/** As src/questions/open.ts: the first answer counts, and a question whose time has passed is expired whatever is given. */
export const OPEN = `
local function push(list, ...)
  for _, value in ipairs({ ... }) do table.insert(list, value) end
end

-- When an open question expires, if it does.
local function expiryOf(rec, name) return cjson.decode(call("HGET", rec, "question:" .. name) or "{}").expiresAt end

-- The names of the open questions that stay open, the answers to the others by name, and these as fields to be set and to
-- be deleted.
local function answerOpen(rec, names, given, now)
  local open, answers, set, delete, expired = {}, {}, {}, {}, {}
  for _, name in ipairs(names and cjson.decode(names) or {}) do
    local expiresAt, answer = expiryOf(rec, name), given[name]
    if expiresAt and expiresAt <= now then
      answer = '{"action":"expired"}'
      table.insert(expired, name)
    end
    if answer then
      answers[name] = answer
      push(set, "answer:" .. name, answer)
      table.insert(delete, "question:" .. name)
    else
      table.insert(open, name)
    end
  end
  -- A later run gets the answers that are listed, each after its name, without asking.
  if #set > 0 then
    local all = cjson.decode(call("HGET", rec, "answered") or "[]")
    for name, answer in pairs(answers) do push(all, name, answer) end
    push(set, "answered", cjson.encode(all))
  end
  if #expired > 0 then
    local all = cjson.decode(call("HGET", rec, "expiredQuestions") or "[]")
    push(all, unpack(expired))
    push(set, "expiredQuestions", cjson.encode(all))
  end
  return open, answers, set, delete
end

local function listOf(open) return #open > 0 and cjson.encode(open) or "[]" end
`;

/**
 * ARGV: id, token, run, and for each question its key, itself, and for how many ms it may be answered or "". A run that
 * holds the job asks those that are neither open nor answered. Returns for each its answer, or in how many ms it expires,
 * or ""; nothing for a job that is no task of ours.
 */
export const ASK = `${COMMON}${OPEN}
local id, run, now = ARGV[1], ARGV[3], clock()
local rec = record(id)
local fields = call("HMGET", rec, "queue", "open", "askedBy", "work")
if not fields[1] then return false end
local open, answers, set, delete = answerOpen(rec, fields[2], {}, now)
local isChanged, waits, asked, replies = #set > 0, false, {}, {}
for _, name in ipairs(open) do asked[name] = true end
for i = 4, #ARGV, 3 do
  local name, question, expiresIn = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local answer = answers[name] or call("HGET", rec, "answer:" .. name)
  local left = ""
  if not answer then
    waits = true
    if asked[name] then
      local expiresAt = expiryOf(rec, name)
      if expiresAt then left = string.format("%.0f", expiresAt - now) end
    else
      asked[name], isChanged = true, true
      table.insert(open, name)
      if expiresIn then
        left = string.format("%.0f", expiresIn)
        question = string.format('{"expiresAt":%.0f,', now + expiresIn) .. string.sub(question, 2)
      end
      push(set, "question:" .. name, question)
    end
  end
  table.insert(replies, answer or left)
end
if waits and fields[3] ~= run then isChanged = true end
if not isChanged or fields[4] or not isHeld(fields[1], id, ARGV[2]) then return replies end
changed(id, now)
if waits then push(set, "askedBy", run) end
call("HSET", rec, "open", listOf(open), unpack(set))
if #delete > 0 then try("HDEL", rec, unpack(delete)) end
publish(fields[1], id)
return replies`;

/** Questions as arguments of the script. */
export function askArguments(questions: readonly NewQuestion[]): (string | number)[] {
  return questions.flatMap(({ expiresIn = "", ...question }) => [question.key, JSON.stringify(question), expiresIn]);
}

/** The state of a question, from the script's reply. */
export function parseQuestionState(reply: string): QuestionState {
  const state = parse<Answer | number>(reply);
  return typeof state === "number" ? { expiresIn: state } : { answer: state };
}
