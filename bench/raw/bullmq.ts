/**
 * What BullMQ itself achieves on this machine: add and process, without our records. Run with a URL it is the worker
 * process, and says "ready".
 */
import { Queue, QueueEvents, Worker } from "bullmq";
import { now } from "../jobs.ts";
import { type Latency, oneByOne } from "../measure.ts";

const QUEUE = "raw";

/** The connection of a URL. `Worker` blocks on its own, so it must not give up on a request. */
function connectionTo(url: string) {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

/** A queue, and its events from now on, not from when it first listens: what is done before would be missed. */
async function openQueue(url: string) {
  const queue = new Queue(QUEUE, { connection: connectionTo(url) });
  const events = new QueueEvents(QUEUE, { connection: connectionTo(url), lastEventId: `${Date.now()}-0` });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  return { queue, events, close: () => Promise.all([queue.close(), events.close()]) };
}

/** Jobs per second from add to completed, as QueueEvents tells, with `inFlight` under way. */
export async function rawThroughput(url: string, total: number, inFlight: number): Promise<number> {
  const { queue, events, close } = await openQueue(url);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let [sent, done] = [0, 0];
  const send = () => {
    if (sent++ < total) queue.add("tick", {}, { removeOnComplete: false }).catch(reject);
  };
  events.on("completed", () => ++done === total ? resolve() : send());
  const start = performance.now();
  for (let i = 0; i < inFlight; i++) send();
  await promise;
  const rate = total / ((performance.now() - start) / 1_000);
  await close();
  return rate;
}

/** What a task waits for on an idle system, one at a time, as `latency` of measure.ts takes it. */
export async function rawLatency(url: string, tasks: number): Promise<Latency> {
  const { queue, events, close } = await openQueue(url);
  const latency = await oneByOne(tasks, async () => {
    const seen = new Promise<number>((resolve) => events.once("completed", () => resolve(now())));
    const sentAt = now();
    const job = await queue.add("tick", {}, { removeOnComplete: false });
    const seenAt = await seen;
    const { returnvalue } = await queue.getJob(job.id ?? "") ?? {};
    return { sentAt, ranAt: Number(returnvalue?.ranAt), seenAt };
  });
  await close();
  return latency;
}

/** A worker that does as little as the benchmark's own job. */
export function rawWorker(url: string, concurrency: number): Worker {
  const run = () => Promise.resolve({ ranAt: now() });
  return new Worker(QUEUE, run, { connection: connectionTo(url), concurrency });
}

if (import.meta.main) {
  const worker = rawWorker(Deno.args[0] ?? "", 100);
  await worker.waitUntilReady();
  console.log("ready");
  for await (const _ of Deno.stdin.readable);
  await worker.close();
}
