/**
 * Measures the backends and prints a table: `deno task bench [--quick] [--backend memory|kv|redis]`. Nothing here is
 * asserted; docs/benchmarks.md keeps figures with the machine that they were taken on.
 */
import { createWorker } from "../mod.ts";
import { TaskFeed } from "../src/feed.ts";
import { hasRedisServer } from "../tools/redis_server.ts";
import { BACKENDS, openBackend, Place } from "../tools/place.ts";
import { parseArgs } from "../tools/std.ts";
import { newTick, tick } from "./jobs.ts";
import { latency, percentile, throughput } from "./measure.ts";
import { rawThroughput, rawWorker } from "./raw_bullmq.ts";
import { countReads, rawCommits, rawMutations } from "./raw_kv.ts";

const options = parseArgs(Deno.args, { boolean: ["quick"], string: ["backend"] });
const quick = options.quick === true;
const TASKS = quick ? 2_000 : 20_000;
const IN_FLIGHT = 64;
/** More slots than tasks, as in bench/worker.ts: the worker is never the one that waits. */
const CONCURRENCY = 100;
const IDLE_TASKS = quick ? 50 : 300;
const WATCHED = 1_000;

const show = (what: string, figure: string) => console.log(`${what.padEnd(66)} ${figure}`);
const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString("en")} /s`;

async function withProcess<T>(script: string, args: readonly string[], use: () => Promise<T>): Promise<T> {
  const path = new URL(script, import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", path, ...args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.getReader();
  await lines.read();
  try {
    return await use();
  } finally {
    await child.stdin.close();
    while (!(await lines.read()).done);
    await child.status;
  }
}

async function oneProcess(name: string): Promise<void> {
  await using place = await Place.make(name);
  await using backend = await openBackend(name, place.folder);
  await using worker = createWorker(backend, [tick], { concurrency: CONCURRENCY });
  await worker.ready;
  await throughput(backend, TASKS / 10, IN_FLIGHT);
  show(`${name}: tasks, one process, ${IN_FLIGHT} in flight`, rate(await throughput(backend, TASKS, IN_FLIGHT)));
}

async function twoProcesses(name: string): Promise<void> {
  await using place = await Place.make(name);
  await using backend = await openBackend(name, place.folder);
  await withProcess("worker.ts", [name, place.folder], async () => {
    await throughput(backend, TASKS / 10, IN_FLIGHT);
    show(`${name}: tasks, two processes, ${IN_FLIGHT} in flight`, rate(await throughput(backend, TASKS, IN_FLIGHT)));
    const { enqueueToRun, finishToSeen } = await latency(backend, IDLE_TASKS);
    for (const [what, times] of [["enqueue to run", enqueueToRun], ["finish to seen", finishToSeen]] as const) {
      const [p50, p99] = [percentile(times, 0.5).toFixed(2), percentile(times, 0.99).toFixed(2)];
      show(`${name}: ${what}, two processes, idle`, `p50 ${p50} ms, p99 ${p99} ms`);
    }
  });
}

/** A server and a worker in one process with nothing to do but to watch. */
async function idleReads(): Promise<void> {
  await using place = await Place.make("kv");
  await using backend = await openBackend("kv", place.folder);
  await using worker = createWorker(backend, [tick], { concurrency: CONCURRENCY });
  await worker.ready;
  using feed = new TaskFeed(backend);
  for (const watched of [0, WATCHED]) {
    for (let i = 0; i < watched; i++) feed.watch(await backend.create({ ...newTick(), job: "nobody" }), () => {});
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const reads = await countReads(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
    show(`kv: reads of an idle server and worker, ${watched.toLocaleString("en")} watched tasks`, rate(reads / 3));
  }
}

async function kvItself(): Promise<void> {
  await using place = await Place.make("kv");
  const commits = await rawCommits(place.folder, quick ? 200 : 2_000);
  show("KV itself: commits of one value, one after the other", rate(commits));
  show("KV itself: mutations, 500 a commit", rate(await rawMutations(place.folder, quick ? 10 : 100)));
}

async function bullMqItself(): Promise<void> {
  await using place = await Place.make("redis");
  const url = place.redisUrl ?? "";
  const worker = rawWorker(url, CONCURRENCY);
  await rawThroughput(url, TASKS / 10, IN_FLIGHT);
  show(`BullMQ itself: one process, ${IN_FLIGHT} in flight`, rate(await rawThroughput(url, TASKS, IN_FLIGHT)));
  await worker.close();
  await withProcess("raw_bullmq.ts", [url], async () => {
    await rawThroughput(url, TASKS / 10, IN_FLIGHT);
    show(`BullMQ itself: two processes, ${IN_FLIGHT} in flight`, rate(await rawThroughput(url, TASKS, IN_FLIGHT)));
  });
}

for (const name of BACKENDS.filter((name) => options.backend === undefined || options.backend === name)) {
  if (name === "redis" && !hasRedisServer) {
    show("redis", "left out: install redis-server");
    continue;
  }
  if (name === "kv") await kvItself();
  if (name === "redis") await bullMqItself();
  await oneProcess(name);
  if (name === "memory") continue;
  await twoProcesses(name);
  if (name === "kv") await idleReads();
}
