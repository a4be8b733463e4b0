/**
 * What `deno task test` runs.
 *
 * @module
 */

/** They take longest, so they begin first: else one of them would run alone at the end. */
const LONGEST = [
  "tests/examples/compile_test.ts",
  "tests/interop/both_eras_test.ts",
  "tests/examples/examples_test.ts",
];

/** What is run where nothing is named. Of src/ it is the examples in the documentation comments. */
const ALL = ["tests", "mod.ts", "strategy.ts", "backend.ts", "testing.ts", "src"];

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
  readonly args: readonly string[];
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

/** A run for each file of tests, those that take longest first, and one for the documentation comments of all else. */
export async function plan(paths: readonly string[]): Promise<readonly Run[]> {
  const [files, documented]: [string[], string[]] = [[], []];
  for (const path of paths.length > 0 ? paths : ALL) {
    const tests = await testsIn(path);
    if (tests.length > 0) files.push(...tests);
    else documented.push(path);
  }
  const rank = (file: string) => LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length;
  const runs: Run[] = files.sort((a, b) => rank(a) - rank(b)).map((file) => ({ name: file, args: [file] }));
  if (documented.length > 0) runs.push({ name: documented.join(" "), args: ["--doc", ...documented] });
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
