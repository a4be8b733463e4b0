/**
 * Measures the backends and prints a table: `deno task bench [--quick]`. Nothing here is asserted; docs/benchmarks.md
 * keeps figures with the machine that they were taken on.
 */
import { createWorker } from "../mod.ts";
import { TaskFeed } from "../src/feed.ts";
import { openBackend } from "./backends.ts";
import { newTick, tick } from "./jobs.ts";
import { latency, percentile, throughput } from "./measure.ts";
import { countReads, rawCommits, rawMutations } from "./raw_kv.ts";

const quick = Deno.args.includes("--quick");
const TASKS = quick ? 2_000 : 20_000;
const IN_FLIGHT = 64;
const IDLE_TASKS = quick ? 50 : 300;
const WATCHED = 1_000;

const show = (what: string, figure: string) => {
  console.log(`${what.padEnd(66)} ${figure}`);
};
const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString("en")} /s`;

async function withWorkerProcess<T>(name: string, place: string, use: () => Promise<T>): Promise<T> {
  const script = new URL("worker.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", script, name, place],
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
  const place = await Deno.makeTempDir();
  await using backend = await openBackend(name, place);
  await using worker = createWorker(backend, [tick], { concurrency: IN_FLIGHT });
  await worker.ready;
  await throughput(backend, TASKS / 10, IN_FLIGHT);
  show(`${name}: tasks, one process, ${IN_FLIGHT} in flight`, rate(await throughput(backend, TASKS, IN_FLIGHT)));
}

async function twoProcesses(name: string): Promise<void> {
  const place = await Deno.makeTempDir();
  await using backend = await openBackend(name, place);
  await withWorkerProcess(name, place, async () => {
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
  const place = await Deno.makeTempDir();
  await using backend = await openBackend("kv", place);
  await using worker = createWorker(backend, [tick], { concurrency: IN_FLIGHT });
  await worker.ready;
  using feed = new TaskFeed(backend);
  for (const watched of [0, WATCHED]) {
    for (let i = 0; i < watched; i++) feed.watch(await backend.create({ ...newTick(), job: "nobody" }), () => {});
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const reads = await countReads(() => new Promise((resolve) => setTimeout(resolve, 3_000)));
    show(`kv: reads of an idle server and worker, ${watched.toLocaleString("en")} watched tasks`, rate(reads / 3));
  }
}

const raw = await Deno.makeTempDir();
show("KV itself: commits of one value, one after the other", rate(await rawCommits(raw, quick ? 200 : 2_000)));
show("KV itself: mutations, 500 a commit", rate(await rawMutations(raw, quick ? 10 : 100)));
await oneProcess("memory");
await oneProcess("kv");
await twoProcesses("kv");
await idleReads();
show("KV itself, once more: commits of one value", rate(await rawCommits(raw, quick ? 200 : 2_000)));
