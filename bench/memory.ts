/**
 * The memory of a process of the benchmarks, measured after a garbage collection (`--v8-flags=--expose-gc`).
 *
 * @module
 */
import type { Process } from "./process.ts";

/** What a process holds, in bytes. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

/** Answers each line of stdin with the memory of this process, and what `more` says. Resolves when stdin ends. */
export async function answerWithMemory(more: () => Record<string, unknown> = () => ({})): Promise<void> {
  for await (const _ of Deno.stdin.readable) {
    Reflect.get(globalThis, "gc")?.();
    const { rss, heapUsed } = Deno.memoryUsage();
    console.log(JSON.stringify({ rss, heapUsed, ...more() }));
  }
}

/** Asks a process that answers with `answerWithMemory`. */
export async function memoryOf<T>(process: Process): Promise<Memory & T> {
  return JSON.parse(await process.ask("memory"));
}
