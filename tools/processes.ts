/**
 * The processes of this machine: whether one runs, which others it has started, and whether a command can.
 *
 * @module
 */
import process from "node:process";

interface Process {
  readonly pid: number;
  readonly parent: number;
}

/** A process, or all of them, without those that are dead and only not yet collected. */
async function processes(pid?: number): Promise<readonly Process[]> {
  return mayReadProc() ? readProc(pid) : await runPs(pid);
}

/** Deno lets only a program that may do everything read there; an example may not. */
function mayReadProc(): boolean {
  try {
    return Deno.readTextFileSync(`/proc/${Deno.pid}/stat`) !== "";
  } catch {
    return false; // Then `ps` is used.
  }
}

/** From Linux's files about processes: starting `ps` takes a hundred times as long. */
function readProc(pid?: number): readonly Process[] {
  const names = pid === undefined ? [...Deno.readDirSync("/proc")].map(({ name }) => name) : [`${pid}`];
  return names.filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const text = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [state = "", parent] = text.slice(text.lastIndexOf(")") + 2).split(" ");
      return state === "Z" || state === "X" ? [] : [{ pid: Number(name), parent: Number(parent) }];
    } catch {
      return []; // It has ended.
    }
  });
}

async function runPs(pid?: number): Promise<readonly Process[]> {
  const args = [...pid === undefined ? ["-A"] : ["-p", `${pid}`], "-o", "pid=,ppid=,stat="];
  const { stdout } = await new Deno.Command("ps", { args }).output();
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
  return (await processes(pid)).some((found) => found.pid === pid);
}

/** All that a process has started, and what these have started. */
export async function descendants(pid: number): Promise<readonly number[]> {
  const all = await processes();
  const below = (pid: number): readonly number[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child.pid, ...below(child.pid)]);
  return below(pid);
}

/** Whether a command exists and succeeds. */
export async function canRun(command: string, ...args: readonly string[]): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
