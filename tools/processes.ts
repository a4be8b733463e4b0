/**
 * What runs on this machine: whether a process does, and who started whom.
 *
 * @module
 */

interface Process {
  readonly pid: number;
  readonly parent: number;
}

/** Every process that runs; one that is dead and only not yet collected does not. */
async function processes(): Promise<readonly Process[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-o", "pid=,ppid=,stat="] }).output();
  return new TextDecoder().decode(stdout).trim().split("\n").flatMap((line) => {
    const [pid, parent, state = ""] = line.trim().split(/\s+/);
    return state.startsWith("Z") ? [] : [{ pid: Number(pid), parent: Number(parent) }];
  });
}

/** Whether a process runs. */
export async function isRunning(pid: number): Promise<boolean> {
  return (await processes()).some((process) => process.pid === pid);
}

/** All that a process has started, and what these have started. */
export async function descendants(pid: number): Promise<readonly number[]> {
  const all = await processes();
  const below = (pid: number): readonly number[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(pid);
}
