/**
 * The job: runs one command of the allow-list.
 *
 * @module
 */
import { defineJob, type Job, type JobContext, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";
import { type AllowedCommand, type AllowList, fingerprint } from "./config.ts";
import { Output } from "./output.ts";
import { folderWithin } from "./paths.ts";
import { runGroup } from "./process_group.ts";

/** How often the last line of output is reported, in ms. */
const REPORT_MS = 200;

const Result = z.object({
  command: z.string(),
  exit_code: z.number(),
  output: z.string().describe("What it wrote to stdout and stderr; the last 64 KiB of it"),
  truncated: z.boolean().describe("Whether the output was longer"),
});

/** The tool's name. The job behind it has a different name for each list. */
export const TOOL_NAME = "run_command";

/**
 * Defines the job for an allow-list. Servers with other lists may use the same queue, and any worker that knows a job may
 * claim its tasks. So the job's name identifies its list, and no server runs a command as another list defines it.
 */
export function runCommand(allowed: AllowList): Job<{ command: string }, z.infer<typeof Result>> {
  const list = [...allowed].map(([name, { description, command, args }]) =>
    `- ${name}: ${description ?? [command, ...args].join(" ")}`
  );
  return defineJob({
    name: `${TOOL_NAME}_${fingerprint(allowed)}`,
    title: "Run a command in the background",
    description: "Run one of these commands in the background and return its exit code and output. " +
      `A command that fails is a result, too: check exit_code.\n${list.join("\n")}`,
    input: z.strictObject({ command: z.enum([...allowed.keys()]) }),
    output: Result,
    annotations: { readOnlyHint: false, openWorldHint: true },
    // A command that could not be run will fail again.
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

/** The variables that every command gets, if the server has them. */
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
    throw new ToolError(`Cannot run ${name}: the program ${command} did not exist when the server started.`);
  }
  const output = new Output();
  const timeout = new AbortController();
  const timer = timeout_seconds !== undefined && setTimeout(() => timeout.abort(), timeout_seconds * 1_000);
  const reporter = reportLastLine(output, ctx);
  try {
    const signal = AbortSignal.any([ctx.signal, timeout.signal]);
    // A link on the path may have changed since the list was read.
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
    clearInterval(reporter);
    if (timer) clearTimeout(timer);
  }
}

/** Reports the last line when it has changed, at intervals: a fast command could write thousands of lines a second. */
function reportLastLine(output: Output, ctx: JobContext): ReturnType<typeof setInterval> {
  let reported = "";
  return setInterval(() => {
    const { lastLine } = output;
    if (lastLine === reported) return;
    reported = lastLine;
    // Only a status message: if it cannot be stored now, the next line replaces it.
    ctx.log(lastLine).catch(() => {});
  }, REPORT_MS);
}
