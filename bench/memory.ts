/**
 * The memory of a process of the benchmarks, measured after a garbage collection (`--v8-flags=--expose-gc`), and the
 * processor time that it has used.
 *
 * @module
 */
import { cpuUsage } from "node:process";
import type { Process } from "./process.ts";

/** What a process holds, in bytes. */
export interface Memory {
  readonly rss: number;
  readonly heapUsed: number;
}

/** Answers each line of stdin for the functions below; with the memory also what `more` says. Resolves when stdin ends. */
export async function answerWithMemory(more: () => Record<string, unknown> = () => ({})): Promise<void> {
  for await (const line of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    if (line.trim() === "memory") {
      Reflect.get(globalThis, "gc")?.();
      const { rss, heapUsed } = Deno.memoryUsage();
      console.log(JSON.stringify({ rss, heapUsed, ...more() }));
    } else {
      const { user, system } = cpuUsage();
      console.log(user + system);
    }
  }
}

/** Asks a process for the processor time that it has used, in microseconds. */
export async function processorTimeOf(process: Process): Promise<number> {
  return Number(await process.ask("processor time"));
}

/** Asks a process that answers with `answerWithMemory`. */
export async function memoryOf<T>(process: Process): Promise<Memory & T> {
  return JSON.parse(await process.ask("memory"));
}
