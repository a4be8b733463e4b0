/**
 * The job: one command of the allow-list, run as a task.
 *
 * @module
 */
import { defineJob, type Job, type JobContext, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";
import { type AllowedCommand, type AllowList, fingerprint } from "./config.ts";
import { Output } from "./output.ts";
import { folderWithin } from "./places.ts";
import { runGroup } from "./process_group.ts";

/** How often the last line of output is told, in ms. */
const TELL_MS = 200;

const Result = z.object({
  command: z.string(),
  exit_code: z.number(),
  output: z.string().describe("What it wrote to stdout and stderr; the last 64 KiB of it"),
  truncated: z.boolean().describe("Whether the output was longer"),
});

/** The tool's name. The job behind it has a name for each list. */
export const TOOL_NAME = "run_command";

/**
 * Defines the job for an allow-list. Servers of other lists may work on the same queue, and a task is given to whoever
 * knows its job: so the job is named by its list, and nobody runs a command as another list has it.
 */
export function runCommand(allowed: AllowList): Job<{ command: string }, z.infer<typeof Result>> {
  const list = [...allowed].map(([name, { description, command, args }]) =>
    `- ${name}: ${description ?? [command, ...args].join(" ")}`
  );
  return defineJob({
    name: `${TOOL_NAME}_${fingerprint(allowed)}`,
    title: "Run a command in the background",
    description: "Run one of these commands in the background and return its exit code and output. " +
      `A command that fails is a result, too: look at exit_code.\n${list.join("\n")}`,
    input: z.strictObject({ command: z.enum([...allowed.keys()]) }),
    output: Result,
    annotations: { readOnlyHint: false, openWorldHint: true },
    // A command that could not be run will not be better the next time.
    attempts: 1,
    run: async ({ command: name }, ctx) => {
      const command = allowed.get(name);
      if (command === undefined) {
        throw new ToolError(
          `Cannot run ${name}: it is not in the list. Choose one of: ${[...allowed.keys()].join(", ")}.`,
        );
      }
      return { command: name, ...await run(name, command, ctx) };
    },
  });
}

/** The variables that every command gets, where the server has them. */
const ALWAYS = ["PATH", "HOME", "LANG", "TZ", "TMPDIR"];

function environment(names: readonly string[]): { readonly [name: string]: string } {
  return Object.fromEntries([...ALWAYS, ...names].flatMap((name) => {
    const value = Deno.env.get(name);
    return value === undefined ? [] : [[name, value]];
  }));
}

async function run(name: string, allowed: AllowedCommand, ctx: JobContext) {
  const { command, program, args, cwd, root, env, timeout_seconds } = allowed;
  if (program === undefined) {
    throw new ToolError(`Cannot run ${name}: there was no program ${command} when the server started.`);
  }
  const output = new Output();
  const timeout = new AbortController();
  const timer = timeout_seconds !== undefined && setTimeout(() => timeout.abort(), timeout_seconds * 1_000);
  const teller = tellLastLine(output, ctx);
  try {
    const signal = AbortSignal.any([ctx.signal, timeout.signal]);
    // A link in the way may have changed since the list was read.
    const folder = await folderWithin(root, cwd);
    const exit_code = await runGroup(program, { args, cwd: folder, env: environment(env), signal }, output.add);
    return { exit_code, ...output.tail };
  } catch (error) {
    if (ctx.signal.aborted) throw error;
    if (timeout.signal.aborted) {
      throw new ToolError(
        `${name} took longer than ${timeout_seconds} s and was stopped. ${output.tail.output}`.trim(),
      );
    }
    throw new ToolError(`Cannot run ${name} (${program} in ${cwd}): ${error}`, { cause: error });
  } finally {
    clearInterval(teller);
    if (timer) clearTimeout(timer);
  }
}

/** Tells the last line whenever it has changed: a fast command would otherwise write a thousand messages a second. */
function tellLastLine(output: Output, ctx: JobContext): ReturnType<typeof setInterval> {
  let told = "";
  return setInterval(() => {
    const { lastLine } = output;
    if (lastLine === told) return;
    told = lastLine;
    // It is news, not the work: if it cannot be stored now, the next line can.
    ctx.log(lastLine).catch(() => {});
  }, TELL_MS);
}
