import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";

/** The programs that a caller may choose, and their arguments. A caller never passes either. */
const PROGRAMS = {
  build: [Deno.execPath(), "eval", "console.log('compiling'); console.log('linking')"],
  serve: [Deno.execPath(), "eval", "console.log('serving'); setInterval(() => {}, 1_000)"],
  broken: [Deno.execPath(), "eval", "console.error('no such file'); Deno.exit(3)"],
} as const;

export const runProgram = defineJob({
  name: "run_program",
  description: "Run a program, and return the last lines that it wrote",
  input: z.object({ program: z.enum(["build", "serve", "broken"]) }),
  output: z.object({ lines: z.array(z.string()) }),
  run: async ({ program }, { signal, log }) => {
    const [command, ...args] = PROGRAMS[program];
    // When the task is cancelled, the signal ends the program with SIGTERM.
    const child = spawn(command, args, { signal, stdio: ["ignore", "pipe", "pipe"] });
    // Only once it has ended has its work stopped. Without a process id it could not be started.
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("close", resolve);
      child.once("error", (error) => child.pid === undefined && reject(error));
    });
    const lines: string[] = [];
    const keep = async (stream: NonNullable<typeof child.stdout>) => {
      for await (const line of createInterface(stream)) {
        lines.push(line);
        if (lines.length > 100) lines.shift();
        await log(line);
      }
    };
    const [code] = await Promise.all([ended, keep(child.stdout), keep(child.stderr)]);
    signal.throwIfAborted();
    if (code !== 0) throw new ToolError(`${program} ended with ${code}: ${lines.join("\n")}`);
    return { lines };
  },
});
