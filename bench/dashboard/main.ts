/**
 * Measures the live page in Chromium: `deno task bench:dashboard [--backend memory|kv|redis|postgres] [--tasks 100000]`. Nothing
 * here is asserted; docs/benchmarks.md keeps figures.
 */
import type { Page } from "playwright-core";
import type { Backend } from "../../mod.ts";
import { serveDashboard } from "../../src/dashboard/mod.ts";
import { startChromium } from "../../tools/page/chromium.ts";
import { openBackend, Place, SHARED_BACKENDS } from "../../tools/place.ts";
import { readOptions } from "../../tools/options.ts";
import { newTask } from "../jobs.ts";
import { percentile } from "../measure.ts";
import { withProcess } from "../process.ts";
import { REPORTERS, type Reports, reportsFile, startReporters } from "./reporters.ts";

const { backend: name, tasks: TASKS } = readOptions({ backend: [...SHARED_BACKENDS, "memory"], tasks: 100_000 });
const SECONDS = 20;
/** How many tasks are created at once. */
const AT_ONCE = 500;

const show = (what: string, figure: string) => console.log(`${`${name}: ${what}`.padEnd(66)} ${figure}`);

/** When the page showed which report of which task, both in ms since the epoch. */
type Seen = readonly { readonly id: string; readonly reported: number; readonly at: number }[];

/** Fills the store with tasks of ten jobs and a hundred owners, which wait. */
async function fill(backend: Backend): Promise<void> {
  for (let made = 0; made < TASKS; made += AT_ONCE) {
    const tasks = Array.from({ length: Math.min(AT_ONCE, TASKS - made) }, (_, index) => ({
      ...newTask(`job_${index % 10}`),
      owner: `owner_${index % 100}`,
    }));
    await Promise.all(tasks.map((task) => backend.create(task)));
  }
}

/** From the start of a navigation to the first row of its table, in ms. */
async function openingTime(page: Page, navigate: () => Promise<unknown>): Promise<number> {
  await navigate();
  return await page.evaluate(async () => {
    const { document, requestAnimationFrame, performance } = Object(globalThis);
    while (document.querySelector("tbody tr") === null) await new Promise((resolve) => requestAnimationFrame(resolve));
    return performance.now();
  });
}

/** Notes in the page what it shows, for some seconds. */
async function watch(page: Page, ms: number): Promise<Seen> {
  return await page.evaluate(async (ms) => {
    const { document, MutationObserver, performance } = Object(globalThis);
    const seen: { id: string; reported: number; at: number }[] = [];
    const last = new Map<string, number>();
    const note = () => {
      for (const row of document.querySelectorAll("tbody tr")) {
        const [id, reported] = [row.dataset.key, Number(row.querySelector(".says").textContent)];
        if (!(reported > 0) || last.get(id) === reported) continue;
        last.set(id, reported);
        seen.push({ id, reported, at: performance.timeOrigin + performance.now() });
      }
    };
    const observer = new MutationObserver(note);
    observer.observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
    await new Promise((resolve) => setTimeout(resolve, ms)); // In the page, which has nothing of this module.
    observer.disconnect();
    return seen;
  }, ms);
}

/** How long each report took until the page showed it, or a later one of its task, in ms, sorted; without the last second. */
function delaysOf(reports: Reports, seen: Seen): readonly number[] {
  const [from, to] = [seen[0]?.at ?? 0, (seen.at(-1)?.at ?? 0) - 1_000];
  return [...reports].flatMap(([id, times]) => {
    const shown = seen.filter((one) => one.id === id);
    return times.filter((time) => time >= from && time <= to)
      .map((time) => (shown.find((one) => one.reported >= time)?.at ?? Infinity) - time);
  }).sort((a, b) => a - b);
}

function shares(delays: readonly number[]): string {
  const [p50, p95, most] = [percentile(delays, 0.5), percentile(delays, 0.95), delays.at(-1) ?? NaN];
  return `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, most ${most.toFixed(0)} ms`;
}

async function measure(backend: Backend, readReports: () => Promise<Reports>): Promise<void> {
  await Promise.all(Array.from({ length: REPORTERS }, () => backend.create(newTask("report"))));
  await using dashboard = await serveDashboard(backend);
  const browser = await startChromium();
  await using _ = { [Symbol.asyncDispose]: () => browser.close() };
  const page = await browser.newPage({ viewport: { width: 1200, height: 900 } });
  const overview = await openingTime(page, () => page.goto(dashboard.url));
  await page.goto(`${new URL(dashboard.url).origin}/#/tasks`);
  const tasks = await openingTime(page, () => page.reload());
  show(
    `the page of ${TASKS.toLocaleString("en")} tasks opens: overview, tasks`,
    `${overview.toFixed(0)}, ${tasks.toFixed(0)} ms`,
  );
  let changes = 0;
  const received: { id: string; reported: number; at: number }[] = [];
  const unwatch = backend.watch((event) => {
    changes++;
    if (event.kind !== "change") return;
    const { id, message } = event.task;
    received.push({ id, reported: Number(message), at: performance.timeOrigin + performance.now() });
  });
  const seen = await watch(page, SECONDS * 1_000);
  unwatch();
  const reports = await readReports();
  const delays = delaysOf(reports, seen);
  show("changes stored", `${Math.round(changes / SECONDS)} /s`);
  show(
    `from a report to the page, ${delays.length.toLocaleString("en")} reports`,
    shares(delays),
  );
  show("of that, until the page's server is told of the change", shares(delaysOf(reports, received)));
}

await using place = await Place.make(name);
await using backend = await openBackend(name, place.folder);
await fill(backend);
if (name === "memory") {
  const reports: Reports = new Map();
  await using worker = startReporters(backend, reports);
  await worker.ready;
  await measure(backend, () => Promise.resolve(reports));
} else {
  await withProcess({ script: "dashboard/reporters.ts", args: [name, place.folder] }, async ({ ask }) => {
    await measure(backend, async () => {
      await ask("reports");
      return new Map(JSON.parse(await Deno.readTextFile(reportsFile(place.folder))));
    });
  });
}
