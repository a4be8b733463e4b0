/**
 * Runs the tests, and says last which were left out: `deno task test [options of deno test]`. A test that is left out
 * says in its name why, or what it needs: "… (left out: install redis-server)"; one that does not is a failure.
 *
 * @module
 */

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ["&lt;", "<"],
  ["&gt;", ">"],
  ["&quot;", '"'],
  ["&apos;", "'"],
  ["&amp;", "&"],
]);

/** The reasons in a JUnit report, each with the number of tests that were left out for it; "" where there is none. */
export function leftOut(report: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const [, name = ""] of report.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)) {
    const text = name.replaceAll(/&\w+;/g, (entity) => ENTITIES.get(entity) ?? entity);
    const [, reason = ""] = /\(left out: (.*)\)$/.exec(text) ?? [];
    counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  return counts;
}

if (import.meta.main) {
  const report = await Deno.makeTempFile({ prefix: "mcp-jobs-tests-", suffix: ".xml" });
  const args = ["test", "--allow-all", "--doc", `--junit-path=${report}`, "mod.ts", "src", "tests", ...Deno.args];
  const { code } = await new Deno.Command(Deno.execPath(), { args }).spawn().status;
  const reasons = leftOut(await Deno.readTextFile(report));
  await Deno.remove(report);
  // With a filter, all that it does not match are left out.
  const silent = !Deno.args.some((option) => option.startsWith("--filter")) && reasons.has("");
  for (const [reason, tests] of reasons) {
    if (reason === "" && !silent) continue;
    console.log(
      `left out | ${tests} ${tests === 1 ? "test" : "tests"} | ${reason || "for no reason: say it in the name"}`,
    );
  }
  Deno.exitCode = code || Number(silent);
}
