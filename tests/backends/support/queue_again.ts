import type { Redis } from "ioredis";

/** Does on Redis what a worker does that takes the worker of a task for dead: `queue` is the key of the queue. */
export async function queueAgain(client: Redis, queue: string, id: string): Promise<void> {
  const moved = client.multi().del(`${queue}:${id}:lock`).lrem(`${queue}:active`, 1, id).rpush(`${queue}:wait`, id);
  await moved.hincrby(`${queue}:${id}`, "stc", 1).zadd(`${queue}:marker`, 0, "0").exec();
}
