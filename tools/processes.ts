/**
 * What runs on this machine: whether a process does, and who started whom.
 *
 * @module
 */
import process from "node:process";

interface Process {
  readonly pid: number;
  readonly parent: number;
}

/** Those processes that `ps` selects by this option; without one that is dead and only not yet collected. */
async function processes(...option: readonly string[]): Promise<readonly Process[]> {
  const { stdout } = await new Deno.Command("ps", { args: [...option, "-o", "pid=,ppid=,stat="] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").flatMap((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}

/** Whether a process runs. */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0); // Only asks whether the process exists, which needs no `ps`.
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ESRCH") return false;
  }
  return (await processes("-p", String(pid))).some((found) => found.pid === pid);
}

/** All that a process has started, and what these have started. */
export async function descendants(pid: number): Promise<readonly number[]> {
  const all = await processes("-A");
  const below = (pid: number): readonly number[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(pid);
}
