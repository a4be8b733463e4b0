/**
 * Runs the tests, several files at a time, and says last which were left out: `deno task test [files or folders]
 * [options of deno test] [-- what the tests are told]`. A test that is left out says in its name why, or what it needs:
 * "… (left out: install redis-server)"; one that does not is a failure. DENO_JOBS says how many files run at a time.
 *
 * Each file has a process of its own, unlike with `deno test --parallel`: so no file shares signals or the environment
 * with another, and what a test writes stands beside its failure.
 *
 * @module
 */
import { type Arguments, plan, readArguments, type Run } from "./test_plan.ts";
import { failures, type Figures, figuresOf, lastLine, leftOut, show, sum } from "./test_report.ts";

/** The tests mostly wait: for a lease to pass, a process to start, a job of an example to end. */
const JOBS = Number(Deno.env.get("DENO_JOBS") ?? 2 * navigator.hardwareConcurrency);

/** How a run went. */
interface Result {
  readonly name: string;
  readonly code: number;
  readonly figures: Figures;
  readonly failed: readonly string[];
  readonly leftOut: readonly string[];
}

/** Checks the types of all and fetches what they need, once, before several at a time would. */
async function prepare(runs: readonly Run[], options: readonly string[]): Promise<boolean> {
  console.log(`checking the types of ${runs.length} ${runs.length === 1 ? "file" : "files"} …`);
  const args = ["test", "--no-run", "--quiet", ...options, ...runs.flatMap(({ args }) => args)];
  return (await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).spawn().status).success;
}

/** By name, what runs now. */
const running = new Map<string, Deno.ChildProcess>();

/** Runs one file and shows how it went: all that it wrote if it failed or was asked for, else one line. */
async function perform({ name, args }: Run, { paths, options, forTests }: Arguments, report: string): Promise<Result> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...options, ...args, ...forTests],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  running.set(name, child);
  const { code, stdout, stderr } = await child.output();
  running.delete(name);
  const [out = "", errors = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const ended = lastLine(out, code) ??
    { before: out + errors, line: `FAILED | 0 passed | 1 failed (exit code ${code})` };
  if (code !== 0 || paths.length > 0) console.log(ended.before);
  console.log(`${name} | ${ended.line}`);
  const junit = await Deno.readTextFile(report).catch(() => "");
  return { name, code, figures: figuresOf(ended.line), failed: failures(junit), leftOut: leftOut(junit) };
}

/** Runs them all, several at a time; their reports go to the folder. */
async function performAll(runs: readonly Run[], told: Arguments, folder: string): Promise<readonly Result[]> {
  const results: Result[] = [];
  // All take from one iterator.
  const queue = runs.entries();
  await Promise.all(Array.from({ length: JOBS }, async () => {
    for (const [index, run] of queue) results[index] = await perform(run, told, `${folder}/${index}.xml`);
  }));
  return results;
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
  const told = readArguments(Deno.args);
  const runs = await plan(told.paths);
  if (!told.options.includes("--no-check") && !await prepare(runs, told.options)) Deno.exit(1);
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-tests-" });
  const finish = (code: number) => {
    Deno.removeSync(folder, { recursive: true });
    Deno.exit(code);
  };
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
    Deno.addSignalListener(signal, () => {
      // A test that hangs is among them.
      for (const [name, child] of running) {
        console.log(`still running | ${name}`);
        child.kill(signal);
      }
      finish(code);
    });
  }
  const results = await performAll(runs, told, folder);
  const filtered = told.options.some((option) => option.startsWith("--filter"));
  finish(conclude(results, filtered, performance.now() - started) ? 0 : 1);
}
