/**
 * Measures the backends and prints a table: `deno task bench [--quick] [--backend memory|kv|redis|postgres]`. Nothing here is
 * asserted; docs/benchmarks.md keeps figures with the machine that they were taken on.
 */
import { type Backend, createWorker } from "../mod.ts";
import { TaskFeed } from "../src/tasks/feed.ts";
import { pause } from "../src/waiting.ts";
import { BACKENDS, openBackend, Place } from "../tools/place.ts";
import { readOptions } from "../tools/options.ts";
import { openSchema } from "./finished/postgres.ts";
import { newTask, newTick, threeSteps, tick } from "./jobs.ts";
import { missingFor } from "./missing.ts";
import { inTurns, type Latency, latency, percentile, throughput, type Way } from "./measure.ts";
import { withProcess } from "./process.ts";
import { rawLatency, rawThroughput, rawWorker } from "./raw/bullmq.ts";
import { countReads, rawCommits, rawMutations, rawTasks } from "./raw/kv.ts";
import { RawPostgres } from "./raw/postgres.ts";
import { telemetryCost } from "./telemetry/main.ts";
import { besideParked } from "./waiting.ts";

const { backend: wanted, quick } = readOptions({ backend: ["all", ...BACKENDS], quick: false });
const TASKS = quick ? 2_000 : 20_000;
const IN_FLIGHT = 64;
/** More slots than tasks, as in bench/worker.ts: the worker is never the one that waits. */
const CONCURRENCY = 100;
const IDLE_TASKS = quick ? 50 : 300;
const WATCHED = 1_000;
const PARKED = 1_000;
/** In ten turns, the first of which warms up. */
const ANSWERS = quick ? 1_000 : 5_000;
const FINISHED = quick ? 50_000 : 1_000_000;

const show = (what: string, figure: string) => console.log(`${what.padEnd(66)} ${figure}`);
const rate = (perSecond: number) => `${Math.round(perSecond).toLocaleString("en")} /s`;

function showLatency(name: string, where: string, { enqueueToRun, finishToSeen }: Latency): void {
  for (const [what, times] of [["enqueue to run", enqueueToRun], ["finish to seen", finishToSeen]] as const) {
    const [p50, p99] = [percentile(times, 0.5).toFixed(2), percentile(times, 0.99).toFixed(2)];
    show(`${name}: ${what}, ${where}, idle`, `p50 ${p50} ms, p99 ${p99} ms`);
  }
}

/** What a backend stands on, with nothing of ours. */
interface Itself {
  readonly name: string;
  readonly way: Way;
}

const onRedis = (url: string): Itself => ({
  name: "BullMQ itself",
  way: (total) => rawThroughput(url, total, IN_FLIGHT),
});

async function rates(name: string, where: string, backend: Backend, itself?: Itself): Promise<void> {
  const way: Way = (total) => throughput(backend, total, IN_FLIGHT);
  const [ours = NaN, raw] = await inTurns(itself ? [way, itself.way] : [way], TASKS);
  const what = `tasks, ${where}, ${IN_FLIGHT} in flight`;
  if (itself === undefined || raw === undefined) return show(`${name}: ${what}`, rate(ours));
  show(`${itself.name}: ${what}`, rate(raw));
  show(`${name}: ${what}`, `${rate(ours)}, ${(ours / raw).toFixed(2)} of it`);
}

/** Where the disk is waited for, the name says so. */
const named = (name: string, fsync: boolean) => fsync ? `${name} with fsync` : name;

async function oneProcess(name: string, fsync = false): Promise<void> {
  await using place = await Place.make(name, { fsync });
  await using backend = await openBackend(name, place.folder);
  await using worker = createWorker(backend, [tick], { concurrency: CONCURRENCY });
  await worker.ready;
  const { folder, redisUrl, postgresUrl } = place;
  const measure = (itself?: Itself) => rates(named(name, fsync), "one process", backend, itself);
  if (name === "kv") {
    await measure({ name: "KV itself", way: (total) => rawTasks(folder, total, IN_FLIGHT) });
  } else if (postgresUrl !== undefined) {
    await using raw = await RawPostgres.open(postgresUrl);
    const name = named("PostgreSQL itself", fsync);
    await measure({ name, way: (total) => raw.throughput(total, IN_FLIGHT) });
  } else if (redisUrl !== undefined) {
    const raw = rawWorker(redisUrl, CONCURRENCY);
    await measure(onRedis(redisUrl));
    await raw.close();
  } else {
    await measure();
  }
  showLatency(named(name, fsync), "one process", await latency(backend, IDLE_TASKS));
}

async function twoProcesses(name: string, fsync = false): Promise<void> {
  await using place = await Place.make(name, { fsync });
  await using backend = await openBackend(name, place.folder);
  const { redisUrl } = place;
  const measure = async () => {
    await rates(named(name, fsync), "two processes", backend, redisUrl === undefined ? undefined : onRedis(redisUrl));
    if (redisUrl !== undefined) showLatency("BullMQ itself", "two processes", await rawLatency(redisUrl, IDLE_TASKS));
    showLatency(named(name, fsync), "two processes", await latency(backend, IDLE_TASKS));
  };
  const raw = redisUrl !== undefined && { script: "raw/bullmq.ts", args: [redisUrl] };
  const beside = raw ? () => withProcess(raw, measure) : measure;
  await withProcess({ script: "worker.ts", args: [name, place.folder] }, beside);
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
    await pause(1_000);
    const reads = await countReads(() => pause(3_000));
    show(`kv: reads of an idle server and worker, ${watched.toLocaleString("en")} watched tasks`, rate(reads / 3));
  }
}

/** What it costs that many tasks are finished: in turns with a schema that has none. */
async function besideFinished(): Promise<void> {
  await using place = await Place.make("postgres");
  const { postgresUrl: url = "" } = place;
  await using none = await openSchema(url, "none", 0);
  await using many = await openSchema(url, "many", FINISHED);
  const [without = NaN, beside = NaN] = await inTurns(
    [none, many].map(({ backend }): Way => (total) => throughput(backend, total, IN_FLIGHT)),
    TASKS,
  );
  const what = `postgres: tasks, beside ${FINISHED.toLocaleString("en")} that are finished`;
  show(what, `${rate(beside)}, ${(beside / without).toFixed(2)} of what it is beside none`);
}

/** What it costs that a task has three steps, in turns with tasks that have none. */
async function withSteps(name: string): Promise<void> {
  await using place = await Place.make(name);
  await using backend = await openBackend(name, place.folder);
  await using worker = createWorker(backend, [tick, threeSteps], { concurrency: CONCURRENCY });
  await worker.ready;
  const ways = [tick, threeSteps].map((job): Way => (total) => {
    return throughput(backend, total, IN_FLIGHT, () => backend.create(newTask(job.name)));
  });
  const [without = NaN, steps = NaN] = await inTurns(ways, TASKS);
  show(`${name}: tasks of three steps`, `${rate(steps)}, ${(steps / without).toFixed(2)} of those without`);
}

/** What parked tasks cost the others, with four slots. */
async function withParked(name: string): Promise<void> {
  await using place = await Place.make(name);
  await using backend = await openBackend(name, place.folder);
  const { startsWithin, inFlight, waiting } = await besideParked(backend, PARKED, ANSWERS, IN_FLIGHT);
  const beside = `${name}: beside ${PARKED.toLocaleString("en")} parked tasks`;
  show(`${beside}, enqueue to run`, `p95 ${startsWithin.toFixed(2)} ms`);
  for (const [what, { tasks, answers }] of [["answered", inFlight], ["all answered before", waiting]] as const) {
    show(`${beside}, ${what}`, `${rate(answers)}, ${(answers / tasks).toFixed(2)} of ${rate(tasks)} new`);
  }
}

/** What traces and metrics cost, with Deno's provider and without one. */
async function withTelemetry(name: string): Promise<void> {
  for (const { way, provider, none, ours } of await telemetryCost(name, quick ? 200 : 500, quick ? 5 : 40)) {
    const [thread, process] = ours.map((time, index) => {
      const before = none[index] ?? NaN;
      return `${before.toFixed(0)} -> ${time.toFixed(0)} µs (${(time / before).toFixed(2)})`;
    });
    show(`${name}: a task ${way}, ${provider ? "Deno's" : "no"} provider`, `thread ${thread}, process ${process}`);
  }
}

async function kvItself(): Promise<void> {
  await using place = await Place.make("kv");
  const commits = await rawCommits(place.folder, quick ? 200 : 2_000);
  show("KV itself: commits of one value, one after the other", rate(commits));
  show("KV itself: mutations, 500 a commit", rate(await rawMutations(place.folder, quick ? 10 : 100)));
}

for (const name of BACKENDS.filter((name) => wanted === "all" || wanted === name)) {
  const missing = missingFor(name);
  if (missing !== undefined) {
    show(name, `left out: ${missing}`);
    continue;
  }
  if (name === "kv") await kvItself();
  await oneProcess(name);
  await withSteps(name);
  await withParked(name);
  await withTelemetry(name);
  if (name === "memory") continue;
  await twoProcesses(name);
  if (name === "kv") await idleReads();
  if (name !== "postgres") continue;
  await oneProcess(name, true);
  await twoProcesses(name, true);
  await besideFinished();
}
