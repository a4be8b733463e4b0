/**
 * Workers of BullMQ that go by the clock of Redis. By itself each goes by its own: one whose clock is ahead takes delayed
 * jobs too early, and stores times for its retries that others have to wait for; one whose clock is behind takes them too
 * late, and stores an end that lies before the beginning.
 *
 * @module
 */
import type { Worker } from "bullmq";
import type { Redis } from "ioredis";

/** What BullMQ's scripts say of the argument that is the clock of whoever runs them. */
const TIMESTAMP = /^\s*ARGV\[(\d+)\]\s+timestamp\s*$/m;

/** A script of BullMQ's that goes by the clock of Redis. */
export function byRedisClock(lua: string): string {
  const [, index] = lua.match(TIMESTAMP) ?? [];
  if (index === undefined) return lua;
  return `
local time = redis.call("TIME")
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ahead = now - tonumber(ARGV[${index}])
ARGV[${index}] = string.format("%d", now)

local function script()
${lua}
end

local reply = script()
-- The last part of a reply about the next job is when a delayed one is due, which its worker compares with its own clock.
if type(reply) == "table" and type(reply[4]) == "number" and reply[4] > 0 then reply[4] = reply[4] - ahead end
return reply`;
}

/** Has all scripts go by the clock of Redis that BullMQ is to define on a connection. */
export function withRedisClock(connection: Redis): Redis {
  const define = connection.defineCommand.bind(connection);
  connection.defineCommand = (name, script) => define(name, { ...script, lua: byRedisClock(script.lua) });
  return connection;
}

/** Has a worker ask Redis when something becomes due, instead of comparing what stands there with its own clock. */
export function askWhatIsDue(worker: Worker): void {
  const backend = worker.getBackend();
  const wait = backend.waitForJob.bind(backend);
  backend.waitForJob = async (seconds) => {
    const marker = await wait(seconds);
    return marker && { ...marker, score: 0 };
  };
}
