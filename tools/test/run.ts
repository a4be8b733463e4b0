/**
 * Runs one file of tests, or a group of them, in a process of its own.
 *
 * @module
 */
import { dirname } from "node:path";
import { SHARED_FOLDER } from "../shared_folder.ts";
import { entryOfExamples } from "./examples.ts";
import { entryOf, fileOf } from "./groups.ts";
import type { Arguments, Run } from "./plan.ts";
import { type Case, count, failures, type Figures, figuresOf, lastLine, leftOut, readReport, show } from "./report.ts";

/** How a file of tests went. */
export interface Result {
  readonly name: string;
  readonly code: number;
  readonly figures: Figures;
  readonly failed: readonly string[];
  readonly leftOut: readonly string[];
}

/** By name, what runs now. */
export const running = new Map<string, Deno.ChildProcess>();

/**
 * Runs it, and prints a line for each file; all that was written, too, if a test failed or the file was named. Its
 * report and what else it needs goes to `place`, with a suffix each.
 */
export async function perform(run: Run, told: Arguments, place: string): Promise<readonly Result[]> {
  const { name, files, doc } = run;
  const [report, entry] = [`${place}.xml`, `${place}_test.ts`];
  const isGroup = !doc && files.length > 1;
  if (isGroup || doc) await Deno.writeTextFile(entry, doc ? await entryOfExamples(files) : entryOf(files));
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      // Deno 2.9.0 refuses an option that it is given twice.
      ...new Set(["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...told.options]),
      ...isGroup || doc ? [entry] : files,
      ...told.forTests,
    ],
    env: { [SHARED_FOLDER]: dirname(place) },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  running.set(name, child);
  const { code, stdout, stderr } = await child.output();
  running.delete(name);
  const [out = "", errors = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  const ended = lastLine(out, code);
  const cases = readReport(await Deno.readTextFile(report).catch(() => ""));
  // From here on nothing waits, so that no other run writes in between.
  if (code !== 0 || told.paths.length > 0) console.log(ended?.before ?? out + errors);
  if (isGroup) return ofGroup(run, code, ended ? cases : []);
  const line = ended?.line ?? endedWith(code);
  console.log(`${name} | ${line}`);
  return [{ name, code, figures: figuresOf(line), failed: failures(cases), leftOut: leftOut(cases) }];
}

function endedWith(code: number): string {
  return `FAILED | 0 passed | 1 failed (exit code ${code})`;
}

/** How each file of a group went: what failed in it, or that nothing is known of it. */
function ofGroup({ name, files }: Run, code: number, cases: readonly Case[]): readonly Result[] {
  const named = cases.map((one) => {
    const [file, name] = fileOf(one.name);
    return { ...one, file, name };
  });
  const results = files.map((file): Result => {
    const own = named.filter((one) => one.file === file);
    const failed = own.length > 0 || code !== 0 ? failures(own) : ["it has no test"];
    const { figures, ms } = count(own);
    const line = own.length > 0 ? show(figures, ms) : endedWith(code || 1);
    console.log(`${file} | ${line}`);
    return {
      name: file,
      code: failed.length > 0 || own.length === 0 ? code || 1 : 0,
      figures: figuresOf(line),
      failed,
      leftOut: leftOut(own),
    };
  });
  if (code === 0 || results.some((result) => result.code !== 0)) return results;
  return [...results, { name, code, figures: figuresOf(endedWith(code)), failed: [], leftOut: [] }];
}
