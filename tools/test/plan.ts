/**
 * What `deno task test` runs.
 *
 * @module
 */
import { dirname } from "node:path";
import { groupsOf } from "./groups.ts";

/**
 * What takes longest, most of it by waiting, and therefore begins first, lest it run alone at the end: files, of which each
 * has a process of its own, and folders whose other files share one.
 */
export const LONGEST: readonly string[] = [
  "tests/clients/clients_test.ts",
  "tests/backends/bullmq/bullmq_test.ts",
  "tests/backends/kv/kv_test.ts",
  "tests/backends/postgres/postgres_test.ts",
  "tests/examples/examples_test.ts",
  "tests/backends/postgres/connecting",
  "tests/crash/deaths_test.ts",
  "tests/backends/bullmq/redis",
  "tests/backends",
  "tests/backends/silence_test.ts",
  "tests/interop",
  "tests/backends/postgres",
  "tests/backends/bullmq/worker",
  "tests/examples/compile_test.ts",
  "tests/examples/first_app_test.ts",
  "tests/crash",
  "tests/backends/outage_test.ts",
  "tests/backends/bullmq",
  "tests/crash/crash_test.ts",
  "tests/dashboard",
  "tests/crash/keys_test.ts",
  "tests/examples/background_command_test.ts",
  "tests/backends/bullmq/redis/failover_test.ts",
  "tests/docs",
  "tests/tasks/starting",
  "tests/backends/kv/file",
  "tests/mcp/sent_size_test.ts",
  "tests",
  "tests/mcp",
  "tests/backends/kv",
  "tests/http",
  "tests/mcp/stdio",
  "tests/exposure",
  "tests/telemetry",
  "tests/server",
];

/** What is run where nothing is named. Of src/ it is the examples in the documentation comments. */
const ALL = ["tests", "docs/recipes", "mod.ts", "strategy.ts", "backend.ts", "testing.ts", "dashboard.ts", "src"];

/** What the command is told. */
export interface Arguments {
  readonly paths: readonly string[];
  readonly options: readonly string[];
  /** From "--" on. */
  readonly forTests: readonly string[];
}

/** One run of `deno test`. */
export interface Run {
  readonly name: string;
  /** What it runs. Several files share a process. */
  readonly files: readonly string[];
  /** Whether these are examples in documentation comments. */
  readonly doc?: boolean;
}

/** Tells paths from options: an option's value follows a "=", or `--filter`. */
export function readArguments(args: readonly string[]): Arguments {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const isOption = (arg: string, index: number) => arg.startsWith("-") || args[index - 1] === "--filter";
  const own = args.slice(0, end);
  return {
    paths: own.filter((arg, index) => !isOption(arg, index)),
    options: own.filter(isOption),
    forTests: args.slice(end),
  };
}

/** Whether only tests of some names are run. */
export function isFiltered({ options }: Pick<Arguments, "options">): boolean {
  return options.some((option) => option.startsWith("--filter"));
}

/**
 * The runs, those that take longest first, and last one for the documentation comments of all that holds no tests. Where
 * nothing is named, and all tests of a file run, the files of a group share a process.
 */
export async function plan(told: Pick<Arguments, "paths" | "options">): Promise<readonly Run[]> {
  const { paths } = told;
  const [files, documented]: [string[], string[]] = [[], []];
  for (const path of paths.length > 0 ? paths : ALL) {
    const tests = await testsIn(path);
    if (tests.length > 0) files.push(...tests);
    else documented.push(path);
  }
  const groups = paths.length > 0 || isFiltered(told) ? files.map((file) => [file]) : await groupsOf(files, LONGEST);
  const runs: Run[] = groups.map((files) => ({
    name: files.length > 1 ? dirname(files[0] ?? "") : files.join(),
    files,
  }));
  const rank = ({ name }: Run) => LONGEST.includes(name) ? LONGEST.indexOf(name) : LONGEST.length;
  runs.sort((a, b) => rank(a) - rank(b));
  if (documented.length > 0) runs.push({ name: documented.join(" "), files: documented, doc: true });
  return runs;
}

async function testsIn(path: string): Promise<string[]> {
  const { isFile } = await Deno.stat(path).catch((cause) => {
    throw new Error(`Cannot run ${path}: there is no such file. An option's value follows a "=".`, { cause });
  });
  if (isFile) return path.endsWith("_test.ts") ? [path] : [];
  const entries = await Array.fromAsync(Deno.readDir(path));
  return (await Promise.all(entries.map(({ name }) => testsIn(`${path}/${name}`)))).flat().sort();
}
