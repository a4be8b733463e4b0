/**
 * Finds strays: processes that a command started and that have left its process group. Linux with `ps` only.
 *
 * @module
 */

/** The variable that identifies the processes of one run; each of them inherits it. */
export const RUN_VARIABLE = "MCP_JOBS_COMMAND_RUN";

/**
 * The processes that are in a command's session or have the run's id in their environment, which a process in a new session
 * (`setsid`) inherits. A process that has both left the session and cleared its environment is not found.
 */
export async function straysOf(session: number, run: string): Promise<number[]> {
  if (Deno.build.os !== "linux") return [];
  const args = ["e", "-A", "-ww", "-o", "pid=,sess=,stat=,command="];
  const ps = new Deno.Command("ps", { args, stdin: "null", stderr: "null" });
  const { stdout } = await ps.output().catch((error) => {
    // Without `ps`, strays are not found; the README says so.
    if (error instanceof Deno.errors.NotFound) return { stdout: new Uint8Array() };
    throw error;
  });
  // A zombie (Z) has ended and waits for its parent.
  const tag = `${RUN_VARIABLE}=${run}`;
  return new TextDecoder().decode(stdout).split("\n").flatMap((line) => {
    const [, pid, itsSession] = /^\s*(\d+)\s+(\d+)\s+[^Z\s]/.exec(line) ?? [];
    if (pid === undefined) return [];
    return Number(itsSession) === session || line.includes(tag) ? [Number(pid)] : [];
  });
}
