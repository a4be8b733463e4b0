/**
 * A command and all that it starts, as one process group: what is stopped is stopped as a whole. Linux and macOS.
 *
 * @module
 */
import { setTimeout as sleep } from "node:timers/promises";
import process from "node:process";

/** How long a group has after SIGTERM before SIGKILL follows, in ms: less than a cancellation waits for its answer. */
const GRACE_MS = 1_000;

/** How long output may still come once the group is gone, in ms: only a process that left the group could hold it open. */
const DRAIN_MS = 500;

/** Runs a command until all of its group is gone. An abort stops the group. Returns the exit code. */
export async function runGroup(
  command: string,
  options: { readonly args: readonly string[]; readonly cwd: string; readonly signal: AbortSignal },
  onText: (text: string) => void,
): Promise<number> {
  const { args, cwd, signal } = options;
  signal.throwIfAborted();
  const child = new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let ending: Promise<void> | undefined;
  const stop = () => ending ??= endGroup(child.pid);
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
  // What the command left running in the background ends with it.
  await stop();
  const timer = setTimeout(() => drained.abort(), DRAIN_MS);
  await output;
  clearTimeout(timer);
  signal.throwIfAborted();
  return code;
}

/** Asks a group to end, waits, and kills what is left. */
async function endGroup(pid: number): Promise<void> {
  const deadline = performance.now() + GRACE_MS;
  send(pid, "SIGTERM");
  while (send(pid, 0)) {
    if (performance.now() > deadline) {
      send(pid, "SIGKILL");
      return;
    }
    await sleep(20);
  }
}

/** Signals a whole group. Returns whether anything of it was there. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(-pid, signal);
  } catch {
    return false;
  }
}
