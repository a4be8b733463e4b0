/**
 * Measures what an operator asks for beside 1,000,000 finished tasks:
 * `deno run -A bench/operating.ts [--backend kv|postgres] [--quick]`. Nothing here is asserted.
 */
import type { Backend, Operator } from "../backend.ts";
import { Place } from "../tools/place.ts";
import { parseArgs } from "../tools/std.ts";
import { openSchema } from "./finished.ts";
import { openFile } from "./finished_kv.ts";
import { newTask, now } from "./jobs.ts";
import { percentile } from "./measure.ts";

const options = parseArgs(Deno.args, { boolean: ["quick"], string: ["backend"], default: { backend: "postgres" } });
const FINISHED = options.quick ? 50_000 : 1_000_000;
const TIMES = 40;
/** How many tasks are cancelled, and how many wait. */
const FEW = 500;

async function show(what: string, act: () => Promise<unknown>): Promise<void> {
  const times: number[] = [];
  for (let i = 0; i < TIMES; i++) {
    const begun = now();
    await act();
    times.push(now() - begun);
  }
  const [p50, p95] = [percentile(times.sort((a, b) => a - b), 0.5).toFixed(1), percentile(times, 0.95).toFixed(1)];
  console.log(`${what.padEnd(66)} p50 ${p50} ms, p95 ${p95} ms`);
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

const name = String(options.backend);
await using place = await Place.make(name);
if (name === "kv") {
  await using backend = await openFile(place.folder, FINISHED);
  await measureIn(backend);
} else {
  await using schema = await openSchema(place.postgresUrl ?? "", "many", FINISHED);
  await measureIn(schema.backend);
}
