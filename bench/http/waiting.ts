/** What a plain call costs while it waits: how much more memory a server holds with many of them. */
import { memoryOf } from "../memory.ts";
import type { Process } from "../process.ts";
import { askModern } from "./modern.ts";
import { pause } from "../../src/waiting.ts";

/** The calls of which one-time costs are paid, and those that are measured. */
const BEFORE = 200;
const CALLS = 1_000;

/** The memory of one waiting call, in bytes. */
export interface WaitingCall {
  /** In the server's JavaScript heap. */
  readonly heap: number;
  /** Of the whole process, with its connections. */
  readonly rss: number;
}

/** Lets plain calls of the tool `name` wait, whose tasks never end, and measures what 1,000 of them add. */
export async function memoryPerWaitingCall(server: Process, name: string): Promise<WaitingCall> {
  const leave = new AbortController();
  const waiting: Promise<unknown>[] = [];
  const created = async () => (await memoryOf<{ created: number }>(server)).created;
  const addCalls = async (count: number) => {
    const target = await created() + count;
    for (let i = 0; i < count; i++) {
      const params = { name, arguments: { number: waiting.length } };
      waiting.push(askModern(server.first, "tools/call", params, { tasks: false, signal: leave.signal }));
    }
    // No answer tells when a call has begun to wait.
    while (await created() < target) await pause(100);
    // Until each has the stream of its answer, and is marked in the store as a call that waits.
    await pause(2_000);
    return await memoryOf(server);
  };
  const before = await addCalls(BEFORE);
  const after = await addCalls(CALLS);
  leave.abort();
  await Promise.allSettled(waiting);
  return { heap: (after.heapUsed - before.heapUsed) / CALLS, rss: (after.rss - before.rss) / CALLS };
}
