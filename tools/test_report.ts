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

/** For each test in a JUnit report that was left out, the reason in its name; "" where there is none. */
export function leftOut(report: string): readonly string[] {
  return cases(report, "skipped").map((name) => /\(left out: (.*)\)$/.exec(name)?.[1] ?? "");
}

/** The names in a JUnit report of the tests and steps that failed. */
export function failures(report: string): readonly string[] {
  return cases(report, "failure");
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&lt;", "<"],
  ["&gt;", ">"],
  ["&quot;", '"'],
  ["&apos;", "'"],
  ["&amp;", "&"],
]);

function cases(report: string, child: "skipped" | "failure"): string[] {
  const found = report.matchAll(new RegExp(`<testcase name="([^"]*)"[^>]*>\\s*<${child}`, "g"));
  return [...found].map(([, name = ""]) => name.replaceAll(/&\w+;/g, (entity) => ENTITIES.get(entity) ?? entity));
}
