/**
 * Tasks that report the time, ten times a second each, for the page to follow.
 *
 * @module
 */
import { type Backend, createWorker, defineJob } from "../../mod.ts";
import { pause } from "../../src/waiting.ts";

/** How many tasks report at once: as many as the page shows. */
export const REPORTERS = 50;

/** How often each does, in ms: 500 changes a second together. */
const PAUSE_MS = 100;

/** What was reported: when, in ms since the epoch, by the id of the task. */
export type Reports = Map<string, number[]>;

/** Starts a worker whose tasks report until it is stopped, and record in `reports` when. */
export function startReporters(
  backend: Backend,
  reports: Reports,
): AsyncDisposable & { readonly ready: Promise<void> } {
  const report = defineJob({
    name: "report",
    input: { type: "object" },
    run: async (_, ctx) => {
      const times: number[] = [];
      reports.set(ctx.id, times);
      // Not all at the same moment.
      await pause(Math.random() * PAUSE_MS);
      for (let next = performance.now(); !ctx.signal.aborted; next += PAUSE_MS) {
        const now = performance.timeOrigin + performance.now();
        times.push(now);
        await ctx.progress(times.length % 100 / 100, String(now));
        await pause(Math.max(0, next + PAUSE_MS - performance.now()));
      }
      return { times: times.length };
    },
  });
  return createWorker(backend, [report], { concurrency: REPORTERS });
}

/** Where a process of its own writes what was reported. */
export const reportsFile = (folder: string): string => `${folder}/reports.json`;

/** In a process of its own: `reporters.ts <backend> <folder>`. Asked, it writes what was reported; it ends with its stdin. */
if (import.meta.main) {
  const { openBackend } = await import("../../tools/place.ts");
  const [name = "", folder = ""] = Deno.args;
  const reports: Reports = new Map();
  const backend = await openBackend(name, folder);
  const worker = startReporters(backend, reports);
  await worker.ready;
  console.log("ready");
  for await (const _ of Deno.stdin.readable) {
    await Deno.writeTextFile(reportsFile(folder), JSON.stringify([...reports]));
    console.log("written");
  }
  Deno.exit();
}
