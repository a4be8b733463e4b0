/**
 * Tasks that report the time, ten times a second each, for the page to follow.
 *
 * @module
 */
import { type Backend, createWorker, defineJob } from "../../mod.ts";

/** How many tasks report at once: as many as the page shows. */
export const SPEAKERS = 50;

/** How often each does, in ms: 500 changes a second together. */
const PAUSE_MS = 100;

/** What was said: when, in ms since the epoch, by the id of the task. */
export type Said = Map<string, number[]>;

/** Starts a worker whose tasks speak until it is stopped, and keep in `said` when. */
export function startSpeakers(backend: Backend, said: Said): AsyncDisposable & { readonly ready: Promise<void> } {
  const speak = defineJob({
    name: "speak",
    input: { type: "object" },
    run: async (_, ctx) => {
      const times: number[] = [];
      said.set(ctx.id, times);
      // Not all at the same moment.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * PAUSE_MS));
      for (let next = performance.now(); !ctx.signal.aborted; next += PAUSE_MS) {
        const now = performance.timeOrigin + performance.now();
        times.push(now);
        await ctx.progress(times.length % 100 / 100, String(now));
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, next + PAUSE_MS - performance.now())));
      }
      return { times: times.length };
    },
  });
  return createWorker(backend, [speak], { concurrency: SPEAKERS });
}

/** Where a process of its own writes what was said. */
export const saidFile = (folder: string): string => `${folder}/said.json`;

/** In a process of its own: `speakers.ts <backend> <folder>`. Asked, it writes what was said; it ends with its stdin. */
if (import.meta.main) {
  const { openBackend } = await import("../../tools/place.ts");
  const [name = "", folder = ""] = Deno.args;
  const said: Said = new Map();
  const backend = await openBackend(name, folder);
  const worker = startSpeakers(backend, said);
  await worker.ready;
  console.log("ready");
  for await (const _ of Deno.stdin.readable) {
    await Deno.writeTextFile(saidFile(folder), JSON.stringify([...said]));
    console.log("written");
  }
  Deno.exit();
}
