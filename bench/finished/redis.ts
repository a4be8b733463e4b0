/**
 * A Redis where many tasks are finished.
 *
 * @module
 */
import { Redis } from "ioredis";
import { type Backend, BullMqBackend, createWorker } from "../../mod.ts";
import { firstIdOf } from "../../src/ids.ts";
import { tick } from "../jobs.ts";
import { throughput } from "../measure.ts";

/** How many copies one script makes. */
const AT_ONCE = 500;

/** Copies a task, with each key and list that has it, under the ids that are passed. */
const COPY = `
local job, record, list, owner, completed, expiry, old = unpack(KEYS)
local fields, values = redis.call("HGETALL", job), redis.call("HGETALL", record)
local score, due = redis.call("ZSCORE", completed, old), redis.call("ZSCORE", expiry, old)
for _, id in ipairs(ARGV) do
  redis.call("HSET", string.sub(job, 1, -37) .. id, unpack(fields))
  redis.call("HSET", string.sub(record, 1, -37) .. id, unpack(values))
  local at = tonumber(string.sub(id, 1, 8) .. string.sub(id, 10, 13), 16)
  redis.call("HSET", string.sub(record, 1, -37) .. id, "createdAt", string.format("%.0f", at))
  redis.call("ZADD", list, 0, id)
  redis.call("ZADD", owner, 0, id)
  redis.call("ZADD", completed, score, id)
  redis.call("ZADD", expiry, due, id)
end
`;

/** Connects to an empty Redis, after as many tasks have finished. Each copy has an id of its own, as if made 1 ms after another. */
export async function openRedis(url: string, finished: number): Promise<Backend & AsyncDisposable> {
  const backend = await BullMqBackend.connect({ redis: url });
  await using worker = createWorker(backend, [tick], { concurrency: 100, grace: 0 });
  await worker.ready;
  await throughput(backend, 1, 1);
  const { tasks: [task] } = await backend.operator.tasks();
  if (task === undefined) throw new Error("There is no task to copy.");
  const ours = "bull:mcp-jobs:";
  const keys = [
    ...[`bull:${task.job}:${task.id}`, `${ours}task:${task.id}`, `${ours}list:COMPLETED:${task.job}`],
    ...[`${ours}owner:${task.owner}`, `bull:${task.job}:completed`, `${ours}expiry`, task.id],
  ];
  const redis = new Redis(url);
  try {
    const from = Date.now() - finished - 60_000;
    for (let made = 0; made < finished; made += AT_ONCE) {
      const ids = Array.from({ length: Math.min(AT_ONCE, finished - made) }, (_, index) => {
        return firstIdOf(from + made + index).slice(0, 19) + crypto.randomUUID().slice(19);
      });
      await redis.eval(COPY, keys.length, ...keys, ...ids);
    }
  } finally {
    redis.disconnect();
  }
  return backend;
}
