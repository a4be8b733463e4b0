/**
 * What BullMQ itself gives on this machine: add and process, with no record of ours. Run with a URL it is the worker
 * process, and says "ready".
 */
import { Queue, QueueEvents, Worker } from "bullmq";

const QUEUE = "raw";

/** The connection of a URL. `Worker` blocks on its own, so it must not give up on a request. */
function connectionTo(url: string) {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port), maxRetriesPerRequest: null };
}

/** Jobs per second from add to completed, as QueueEvents tells, with `inFlight` under way. */
export async function rawThroughput(url: string, total: number, inFlight: number): Promise<number> {
  const queue = new Queue(QUEUE, { connection: connectionTo(url) });
  // From now on, and not from when it first listens: what is done before would be missed.
  const events = new QueueEvents(QUEUE, { connection: connectionTo(url), lastEventId: `${Date.now()}-0` });
  await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
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
  await Promise.all([queue.close(), events.close()]);
  return rate;
}

/** A worker that does as little as the benchmark's own job. */
export function rawWorker(url: string, concurrency: number): Worker {
  const run = () => Promise.resolve({ ranAt: performance.timeOrigin + performance.now() });
  return new Worker(QUEUE, run, { connection: connectionTo(url), concurrency });
}

if (import.meta.main) {
  const worker = rawWorker(Deno.args[0] ?? "", 100);
  await worker.waitUntilReady();
  console.log("ready");
  for await (const _ of Deno.stdin.readable);
  await worker.close();
}
