/**
 * The script that stores what a run reports and logs.
 *
 * @module
 */
import type { LogLine, NewLogLine } from "../../../../backend.ts";
import { MAX_BYTES, MAX_LINES } from "../../../../task_log/newest_lines.ts";
import { isLogLevel } from "../../../../task_log/levels.ts";
import { COMMON } from "./parts.ts";

/**
 * ARGV: queue, id, token, progress, how many lines are left out, and lines. Stores the progress of a run that holds the job,
 * and adds the lines to the log of its task. Unlike BullMQ's own script, it ignores runs that do not. A job that is
 * no task of ours has progress but no log. What is kept of a log is what `NewestLines` keeps.
 */
export const REPORT = `${COMMON}
local queue, id, progress = ARGV[1], ARGV[2], ARGV[4]

local function log()
  local rec, key = record(id), logOf(id)
  local fields = call("HMGET", rec, "queue", "work", "logged", "logBytes")
  if not fields[1] or fields[2] then return end
  local number, bytes = (tonumber(fields[3]) or 0) + tonumber(ARGV[5]), tonumber(fields[4]) or 0
  for i = 6, #ARGV do
    number = number + 1
    bytes = bytes + #ARGV[i]
    call("RPUSH", key, string.format("%d ", number) .. ARGV[i])
  end
  local lines, dropped = call("LLEN", key), 0
  while lines - dropped > ${MAX_LINES} or bytes > ${MAX_BYTES} do
    local oldest = call("LRANGE", key, dropped, dropped)[1]
    bytes = bytes - (#oldest - string.find(oldest, " "))
    dropped = dropped + 1
  end
  if dropped > 0 then call("LTRIM", key, dropped, -1) end
  changed(id, clock())
  call("HSET", rec, "logged", number, "logBytes", bytes)
end

if not isHeld(queue, id, ARGV[3]) then return 0 end
if #ARGV > 5 then log() end
call("HSET", bull .. queue .. ":" .. id, "progress", progress)
publish(queue, id, "progress", "data", progress)
return 1`;

/** A line as an argument of the script. */
export function lineArgument({ at, level, text }: NewLogLine): string {
  return `${at} ${level} ${text}`;
}

/** A line, as it is stored. */
export function parseLine(stored: string): LogLine {
  const [, number, at, level, text = ""] = /^(\d+) (\d+) (\w+) (.*)$/s.exec(stored) ?? [];
  if (!isLogLevel(level)) throw new Error(`Cannot read a line of the log in Redis: ${stored.slice(0, 100)}`);
  return { number: Number(number), at: Number(at), level, text };
}
