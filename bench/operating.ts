/**
 * Measures what an operator asks for beside 1,000,000 finished tasks:
 * `deno run -A bench/operating.ts [--backend kv|postgres|redis] [--quick]`. Nothing here is asserted.
 */
import { cpuUsage } from "node:process";
import type { Backend, Operator } from "../backend.ts";
import { Place } from "../tools/place.ts";
import { readOptions } from "../tools/options.ts";
import { openFile } from "./finished/kv.ts";
import { openSchema } from "./finished/postgres.ts";
import { openRedis } from "./finished/redis.ts";
import { newTask, now } from "./jobs.ts";
import { percentile } from "./measure.ts";

const { backend: name, quick } = readOptions({ backend: ["postgres", "kv", "redis"], quick: false });
const FINISHED = quick ? 50_000 : 1_000_000;
const TIMES = 40;
/** How many tasks are cancelled, and how many wait. */
const FEW = 500;

async function show(what: string, act: () => Promise<unknown>): Promise<void> {
  const [times, processor]: [number[], number[]] = [[], []];
  for (let i = 0; i < TIMES; i++) {
    const [begun, used] = [now(), cpuUsage()];
    await act();
    times.push(now() - begun);
    const { user, system } = cpuUsage(used);
    processor.push((user + system) / 1_000);
  }
  const of = (numbers: number[], share: number) => percentile(numbers.sort((a, b) => a - b), share).toFixed(1);
  const elapsed = `p50 ${of(times, 0.5)} ms, p95 ${of(times, 0.95)} ms`;
  // What the database takes is not part of it, unless it is in this process.
  console.log(`${what.padEnd(66)} ${elapsed}; processor time p50 ${of(processor, 0.5)} ms`);
}

/** Cancels some tasks of a job of their own, and leaves as many that wait. */
async function addOthers(backend: Backend): Promise<void> {
  for (let i = 0; i < FEW; i++) {
    const { id, owner } = await backend.create({ ...newTask("rare"), owner: "ann" });
    await backend.cancel(id, owner, 0);
  }
  for (let i = 0; i < FEW; i++) await backend.create({ ...newTask("rare"), owner: "ann" });
}

/** Reads pages by each filter, and counts. */
async function measure(operator: Operator): Promise<void> {
  const { tasks: [newest] } = await operator.tasks({ job: "tick", limit: 1 });
  const middle = (newest?.createdAt ?? 0) - FINISHED / 2;
  await show("counts", () => operator.counts());
  await show("workers", () => operator.workers());
  await show("a page of all", () => operator.tasks());
  await show("a page of 1,000", () => operator.tasks({ limit: 1_000 }));
  await show("a page in the middle", () => operator.tasks({ until: middle }));
  await show("a page of the common job", () => operator.tasks({ job: "tick" }));
  await show("a page of the rare job", () => operator.tasks({ job: "rare" }));
  await show("a page of the rare owner", () => operator.tasks({ owner: "ann" }));
  await show("a page of COMPLETED", () => operator.tasks({ status: "COMPLETED" }));
  await show("a page of CANCELLED", () => operator.tasks({ status: "CANCELLED" }));
  await show(
    "a page of CANCELLED, rare job, since",
    () => operator.tasks({ status: "CANCELLED", job: "rare", since: middle }),
  );
  await show("a page of PENDING", () => operator.tasks({ status: "PENDING" }));
  await show("a page of RUNNING", () => operator.tasks({ status: "RUNNING" }));
  await show("a page of FAILED, of which there are none", () => operator.tasks({ status: "FAILED" }));
  await show("a page of COMPLETED of the rare job, none", () => operator.tasks({ status: "COMPLETED", job: "rare" }));
  await show("a page of the common job and the rare owner, none", () => operator.tasks({ job: "tick", owner: "ann" }));
}

async function measureIn(backend: Backend): Promise<void> {
  await addOthers(backend);
  await measure(backend.operator);
}

await using place = await Place.make(name);
if (name === "kv") {
  await using backend = await openFile(place.folder, FINISHED);
  await measureIn(backend);
} else if (name === "redis") {
  await using backend = await openRedis(place.redisUrl ?? "", FINISHED);
  await measureIn(backend);
} else {
  await using schema = await openSchema(place.postgresUrl ?? "", "many", FINISHED);
  await measureIn(schema.backend);
}
