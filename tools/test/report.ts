/**
 * What runs of `deno test` say, and what they come to together.
 *
 * @module
 */

/** By how they went, as "passed" or "filtered out": how many tests, and how many steps of tests. */
export type Figures = ReadonlyMap<string, { readonly tests: number; readonly steps: number }>;

/** Passed and failed are always told, and first. */
const NONE: Figures = new Map([["passed", { tests: 0, steps: 0 }], ["failed", { tests: 0, steps: 0 }]]);

/**
 * The last line of a run, as "ok | 12 passed (2 steps) | 0 failed (3s)", without colours, and what was written before it.
 * `undefined` where it ended before it could write one, or fails although all is well in it.
 */
export function lastLine(output: string, code: number): { readonly before: string; readonly line: string } | undefined {
  // deno-lint-ignore no-control-regex
  const plain = (text: string) => text.replaceAll(/\x1b\[[\d;]*m/g, "");
  const lines = output.split("\n");
  const wanted = code === 0 ? /^ok \| .* \(\w+\)$/ : /^FAILED \| .* \(\w+\)$/;
  const at = lines.findLastIndex((line) => wanted.test(plain(line)));
  return at < 0 ? undefined : { before: lines.slice(0, at).join("\n"), line: plain(lines[at] ?? "") };
}

/** Reads the figures of a last line. */
export function figuresOf(line: string): Figures {
  const parts = line.matchAll(/\| (\d+) ([a-z ]+?)(?: \((\d+) steps?\))?(?= \|| \([^)]*\)$)/g);
  return new Map(
    [...parts].map(([, tests, how = "", steps]) => [how, { tests: Number(tests), steps: Number(steps ?? 0) }]),
  );
}

/** Adds up the figures of several runs. */
export function sum(all: readonly Figures[]): Figures {
  const total = new Map(NONE);
  for (const [how, { tests, steps }] of all.flatMap((figures) => [...figures])) {
    const before = total.get(how) ?? { tests: 0, steps: 0 };
    total.set(how, { tests: before.tests + tests, steps: before.steps + steps });
  }
  return total;
}

/** Says the figures as a last line does. */
export function show(figures: Figures, ms: number): string {
  const parts = [...figures].map(([how, { tests, steps }]) =>
    `${tests} ${how}${steps > 0 ? ` (${steps} ${steps === 1 ? "step" : "steps"})` : ""}`
  );
  const seconds = Math.round(ms / 1_000);
  const time = seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
  return `${(figures.get("failed")?.tests ?? 0) > 0 ? "FAILED" : "ok"} | ${parts.join(" | ")} (${time})`;
}

/** How a test, or a step of one, went. */
export interface Case {
  readonly file: string;
  readonly name: string;
  readonly how: "passed" | "failed" | "ignored";
  readonly ms: number;
  /** The first line of the error of one that failed. */
  readonly error: string;
}

/** Reads a JUnit report; there is none of a run that ended early. */
export function readReport(report: string): readonly Case[] {
  const cases: Case[] = [];
  let file = "";
  const found = report.matchAll(
    /<testsuite name="([^"]*)"|<testcase name="([^"]*)"([^>]*)>\s*<(\/?\w+)(?: message="([^"]*))?/g,
  );
  for (const [, suite, name = "", attributes = "", child = "", message = ""] of found) {
    if (suite !== undefined) file = unescape(suite).replace(/^\.\//, "");
    else {
      const how = child === "skipped" ? "ignored" : child === "/testcase" ? "passed" : "failed";
      const ms = Number(/ time="([\d.]+)"/.exec(attributes)?.[1] ?? 0) * 1_000;
      const error = unescape(message).replace(/^Uncaught /, "").split("\n")[0] ?? "";
      cases.push({ file, name: unescape(name), how, ms, error });
    }
  }
  return cases;
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&lt;", "<"],
  ["&gt;", ">"],
  ["&quot;", '"'],
  ["&apos;", "'"],
  ["&amp;", "&"],
]);

function unescape(text: string): string {
  return text.replaceAll(/&\w+;/g, (entity) => ENTITIES.get(entity) ?? entity);
}

/** Whether a case is a step of another one: the report names it after its test. */
function isStep({ name }: Case, cases: readonly Case[]): boolean {
  return name.includes(" > ") && cases.some((other) => name.startsWith(`${other.name} > `));
}

/** Counts the cases of one file, and adds up the time of its tests. */
export function count(cases: readonly Case[]): { readonly figures: Figures; readonly ms: number } {
  const tests = cases.filter((one) => !isStep(one, cases));
  const figures = cases.map((one) => {
    const step = tests.includes(one) ? 0 : 1;
    return new Map([[one.how, { tests: 1 - step, steps: step }]]);
  });
  return { figures: sum(figures), ms: tests.reduce((total, { ms }) => total + ms, 0) };
}

/** For each test that was left out, the reason in its name; "" where there is none. */
export function leftOut(cases: readonly Case[]): readonly string[] {
  return cases.filter(({ how }) => how === "ignored").map(({ name }) => /\(left out: (.*)\)$/.exec(name)?.[1] ?? "");
}

/** The names of the tests and steps that failed, each with the first line of its error. */
export function failures(cases: readonly Case[]): readonly string[] {
  return cases.filter(({ how }) => how === "failed").map(({ name, error }) => `${name} | ${error}`);
}
