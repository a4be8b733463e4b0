/**
 * Runs the tests, several files at a time, and says last which were left out: `deno task test [files or folders]
 * [options of deno test] [-- what the tests are told]`. A test that is left out says in its name why, or what it needs:
 * "… (left out: install redis-server)"; one that does not is a failure. DENO_JOBS says how many files run at a time.
 *
 * Unlike with `deno test --parallel` a file has a process of its own, or shares one with files that run before and after
 * it: so no file shares signals or the environment with one that runs beside it, and what a test writes stands beside its
 * failure.
 *
 * @module
 */
import { type Arguments, isFiltered, plan, readArguments, type Run } from "./plan.ts";
import { show, sum } from "./report.ts";
import { perform, type Result, running } from "./run.ts";

/** The tests mostly wait: for a lease to pass, a process to start, a job of an example to end. */
const JOBS = Number(Deno.env.get("DENO_JOBS") ?? 4 * navigator.hardwareConcurrency);

/** Runs `deno test` without running a test: fetches what the files need, and checks their types unless told not to. */
function prepare(runs: readonly Run[], options: readonly string[]): Promise<boolean> {
  return succeeds(["test", "--no-run", "--quiet", ...options, ...runs.flatMap(({ files }) => files)]);
}

/** Runs this before the tests or beside them. */
async function succeeds(args: readonly string[]): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), { args: [...args], stdin: "null" }).spawn();
  running.set("the check of the types", child);
  const { success } = await child.status;
  running.delete("the check of the types");
  return success;
}

/** Runs them all, several at a time; their reports go to the folder. */
async function performAll(runs: readonly Run[], given: Arguments, folder: string): Promise<readonly Result[]> {
  const results: (readonly Result[])[] = [];
  // All take from one iterator.
  const queue = runs.entries();
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (const [index, run] of queue) results[index] = await perform(run, given, `${folder}/${index}`);
  }));
  return results.flat();
}

/** Says what failed, the figures of all, and what was left out. Returns whether all is well. */
function conclude(results: readonly Result[], filtered: boolean, ms: number): boolean {
  for (const { name, code, failed } of results.filter(({ code }) => code !== 0)) {
    for (const test of failed.length > 0 ? failed : [`exit code ${code}`]) console.log(`failed | ${name} | ${test}`);
  }
  console.log(`\n${show(sum(results.map(({ figures }) => figures)), ms)}\n`);
  const reasons = Map.groupBy(results.flatMap(({ leftOut }) => leftOut), (reason) => reason);
  if (filtered) reasons.delete(""); // All that it does not match are left out.
  for (const [reason, { length }] of reasons) {
    const tests = `${length} ${length === 1 ? "test" : "tests"}`;
    console.log(`left out | ${tests} | ${reason || "for no reason: say it in the name"}`);
  }
  return results.every(({ code }) => code === 0) && !reasons.has("");
}

if (import.meta.main) {
  const started = performance.now();
  const given = readArguments(Deno.args);
  const runs = await plan(given);
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-tests-" });
  const finish = (code: number) => {
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(code);
  };
  const stop = (signal: Deno.Signal, code: number) => {
    for (const [name, child] of running) {
      console.log(`still running | ${name}`); // A test that hangs is among them.
      child.kill(signal);
    }
    finish(code);
  };
  Deno.addSignalListener("SIGINT", () => stop("SIGINT", 130));
  Deno.addSignalListener("SIGTERM", () => stop("SIGTERM", 143));

  let typesAreRight = Promise.resolve(true);
  if (!given.options.includes("--no-check")) {
    console.log("checking the types …");
    // What is named is checked before it runs; all files are checked while the first of them run, which takes less time.
    const isNamed = given.paths.length > 0;
    if (!await prepare(runs, isNamed ? given.options : [...given.options, "--no-check"])) finish(1);
    if (!isNamed) {
      // As `deno check` does it, of which Deno remembers that all was well: it takes no time again until a file changes.
      typesAreRight = succeeds(["check", "--quiet"]);
      typesAreRight.then((right) => right || stop("SIGTERM", 1));
    }
  }
  const results = await performAll(runs, given, folder);
  const isGood = conclude(results, isFiltered(given), performance.now() - started);
  finish(await typesAreRight && isGood ? 0 : 1);
}
