/**
 * What tests know of processes: whether one runs, and who started whom; and how they wait for something.
 *
 * @module
 */
import { pause } from "../../src/waiting.ts";
export { descendants, isRunning } from "../../tools/processes.ts";

/** How long something may take to happen, in ms, before a test gives up on it. */
const TIMEOUT_MS = 180_000;

/** The pauses between two looks, in ms: they grow, because each look costs the processes that are waited for time. */
const PAUSES_MS = { first: 10, most: 100, growth: 1.2 };

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + TIMEOUT_MS;
  let ms = PAUSES_MS.first;
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`Waited ${TIMEOUT_MS} ms in vain until ${what}.`);
    await pause(ms);
    ms = Math.min(ms * PAUSES_MS.growth, PAUSES_MS.most);
  }
}

/** Stops this process for so many ms, as a machine that sleeps does: it does nothing, and its clock goes on. */
export function stopFor(ms: number): void {
  const script = `sleep ${ms / 1_000}; kill -CONT ${Deno.pid}`;
  // The one that wakes it must not wait for it.
  const waking = new Deno.Command("sh", { args: ["-c", script], stdin: "null", stdout: "null" }).spawn();
  waking.unref();
  Deno.kill(Deno.pid, "SIGSTOP");
}
