/**
 * Runs a command, and stops it together with every process that it started. Linux and macOS.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import process from "node:process";
import { RUN_VARIABLE, straysOf } from "./strays.ts";

/** How long processes have between SIGTERM and SIGKILL, in ms: less than a cancellation waits for an answer. */
const GRACE_MS = 1_000;

/** How long output may still come once all known processes are gone, in ms: an unknown one could hold it open. */
const DRAIN_MS = 500;

/** Runs a program until every process that it started has ended. An abort stops all of them. Returns the exit code. */
export async function runGroup(
  program: string,
  options: {
    readonly args: readonly string[];
    readonly cwd: string;
    readonly env: { readonly [name: string]: string };
    readonly signal: AbortSignal;
  },
  onText: (text: string) => void,
): Promise<number> {
  const { args, cwd, env, signal } = options;
  signal.throwIfAborted();
  const run = crypto.randomUUID();
  const child = new Deno.Command(program, {
    args: [...args],
    cwd,
    clearEnv: true,
    env: { ...env, [RUN_VARIABLE]: run },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let ending: Promise<void> | undefined;
  const stop = () => ending ??= endAll(child.pid, run);
  signal.addEventListener("abort", stop, { once: true });

  const drained = new AbortController();
  const read = (stream: ReadableStream<Uint8Array<ArrayBuffer>>) =>
    stream.pipeThrough(new TextDecoderStream())
      .pipeTo(new WritableStream({ write: onText }), { signal: drained.signal })
      .catch((error) => {
        if (!drained.signal.aborted) throw error;
      });
  const output = Promise.all([read(child.stdout), read(child.stderr)]);

  const { code } = await child.status;
  signal.removeEventListener("abort", stop);
  // Background processes of the command end with it.
  await stop();
  const timer = setTimeout(() => drained.abort(), DRAIN_MS);
  await output;
  clearTimeout(timer);
  signal.throwIfAborted();
  return code;
}

/** Sends SIGTERM to the group and the strays, waits, and kills those that are left. */
async function endAll(group: number, run: string): Promise<void> {
  const asked = await signalAll(group, run, "SIGTERM");
  const deadline = performance.now() + GRACE_MS;
  while (asked.some((target) => send(target, 0)) && performance.now() < deadline) await sleep(20);
  // This includes processes that were started meanwhile.
  await signalAll(group, run, "SIGKILL");
}

/** Signals the group and its strays; returns the target of each signal. */
async function signalAll(group: number, run: string, signal: NodeJS.Signals): Promise<number[]> {
  const targets = [-group, ...await straysOf(group, run)];
  for (const target of targets) send(target, signal);
  return targets;
}

/** Signals a process, or a whole group by its negative id. Returns whether it existed. */
function send(target: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(target, signal);
  } catch {
    return false; // It has ended.
  }
}
