/**
 * Runs the official conformance suite against the fixture server: the ten `tasks-*` scenarios, of which every check has
 * to pass, and the required suites of both revisions, of which what is expected to fail stands in a file beside this one.
 *
 * `deno task conformance [--backend kv|redis|postgres|memory] [--rounds N] [--fuzz N [--seed S]]`. It uses the Redis of
 * REDIS_URL, and the PostgreSQL of POSTGRES_URL, or starts one. With `--fuzz` the same server process first gets so many
 * hostile requests.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { PostgresServer } from "../../tools/postgres_server.ts";
import { openRedis } from "../../tools/redis_server.ts";
import { readOptions } from "../../tools/options.ts";
import { fuzz } from "./fuzz.ts";

const SUITE = "npm:@modelcontextprotocol/conformance@0.2.0-alpha.12";

/** The scenarios of tasks, with the number of their checks. The suite itself skips what has none. */
const TASK_SCENARIOS: { readonly [name: string]: number } = {
  "tasks-lifecycle": 9,
  "tasks-capability-negotiation": 5,
  "tasks-wire-fields": 4,
  "tasks-request-state-removal": 3,
  "tasks-mrtr-input": 4,
  "tasks-request-headers": 5,
  "tasks-dispatch-and-envelope": 9,
  "tasks-required-task-error": 3,
  "tasks-mrtr-composition": 2,
  "tasks-status-notifications": 0,
};

const REVISIONS = ["2026-07-28", "2025-11-25"];

const { backend, rounds, ...hostile } = readOptions({
  backend: ["kv", "redis", "postgres", "memory"],
  rounds: 1,
  fuzz: 0,
  seed: 1,
});

/** A running server: the fixture, or the database that it uses. */
interface Running extends AsyncDisposable {
  readonly url: string;
}

async function openDatabase(): Promise<Running | undefined> {
  if (backend === "redis") return await openRedis();
  if (backend === "postgres") return await PostgresServer.start();
}

async function startFixture(database: string): Promise<Running> {
  const server = fileURLToPath(new URL("./server.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", server, "--port", "0", "--backend", backend, "--url", database],
    stdin: "null",
    stderr: "piped",
  }).spawn();
  const serving = Promise.withResolvers<string>();
  const reading = (async () => {
    let said = "";
    for await (const chunk of child.stderr.pipeThrough(new TextDecoderStream())) {
      said = (said + chunk).slice(-10_000);
      const url = /Serving MCP on (\S+)\n/.exec(said)?.[1];
      if (url) serving.resolve(url);
    }
    serving.reject(new Error(`The fixture server ended: ${said}`));
  })();
  return {
    url: await serving.promise,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await child.status;
      await reading;
    },
  };
}

/** Runs the suite's command line; what it writes to files goes with the folder. */
async function runSuite(url: string, ...args: readonly string[]): Promise<{ ok: boolean; output: string }> {
  const cwd = await Deno.makeTempDir({ prefix: "mcp-conformance-" });
  try {
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-config", "--allow-all", SUITE, "server", "--url", url, ...args],
      cwd,
    }).output();
    return { ok: success, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

/** How many checks went as they should; of those that are expected to fail none is among `failed`. */
interface Count {
  readonly passed: number;
  readonly failed: number;
  readonly expected: number;
}

/** Runs the ten scenarios; every check has to pass, and none may be missing. */
async function checkTasks(url: string): Promise<Count> {
  let passed = 0;
  let ok = true;
  for (const [scenario, checks] of Object.entries(TASK_SCENARIOS)) {
    const run = await runSuite(url, "--scenario", scenario);
    const count = Number(/Passed: (\d+)\/\d+, 0 failed, 0 warnings/.exec(run.output)?.[1] ?? -1);
    const good = run.ok && count === checks;
    passed += good ? count : 0;
    ok &&= good;
    console.log(`${good ? "ok  " : "FAIL"} ${scenario}: ${count} of ${checks}`);
    if (!good) console.log(run.output);
  }
  const all = Object.values(TASK_SCENARIOS).reduce((sum, checks) => sum + checks, 0);
  console.log(`${ok ? "ok  " : "FAIL"} tasks: ${passed} of ${all} checks`);
  return { passed, failed: Math.max(all - passed, ok ? 0 : 1), expected: 0 };
}

async function checkRequired(url: string, revision: string): Promise<Count> {
  const file = fileURLToPath(new URL(`./expected_failures_${revision.replaceAll("-", "_")}.yaml`, import.meta.url));
  const { ok, output } = await runSuite(url, "--requirements", revision, "--expected-failures", file);
  const [total, passed, failed] = /Total: (\d+) passed, (\d+) failed/.exec(output) ?? ["no result", 0, 0];
  console.log(`${ok ? "ok  " : "FAIL"} required for ${revision}: ${total}${ok ? ", as expected" : ""}`);
  if (!ok) console.log(output);
  const [good, bad] = [Number(passed), Number(failed)];
  return ok ? { passed: good, failed: 0, expected: bad } : { passed: good, failed: Math.max(bad, 1), expected: 0 };
}

/** Sends hostile requests. What they leave behind is for the suite to see. */
async function checkHostile(url: string, count: number): Promise<Count> {
  const begun = performance.now();
  try {
    const statuses = await fuzz(url, hostile.seed, count);
    const all = [...statuses].sort(([a], [b]) => a - b).map(([status, times]) => `${status || "not sent"}: ${times}`);
    const seconds = Math.round((performance.now() - begun) / 1_000);
    console.log(`ok   ${count} hostile requests in ${seconds} s: ${all.join(", ")}`);
    return { passed: 1, failed: 0, expected: 0 };
  } catch (error) {
    console.log(`FAIL ${count} hostile requests: ${error instanceof Error ? error.message : error}`);
    return { passed: 0, failed: 1, expected: 0 };
  }
}

const counts: Count[] = [];
{
  await using database = await openDatabase();
  await using fixture = await startFixture(database?.url ?? "");
  if (hostile.fuzz > 0) counts.push(await checkHostile(fixture.url, hostile.fuzz));
  for (let round = 1; round <= rounds; round++) counts.push(await checkTasks(fixture.url));
  for (const revision of REVISIONS) counts.push(await checkRequired(fixture.url, revision));
}
const sum = (count: (of: Count) => number) => counts.map(count).reduce((a, b) => a + b, 0);
const failed = sum((of) => of.failed);
// The line of .ci/run, as `deno test` writes it.
const expected = `${sum((of) => of.expected)} expected failures`;
console.log(`${failed > 0 ? "FAILED" : "ok"} | ${sum((of) => of.passed)} passed | ${failed} failed | ${expected}`);
if (failed > 0) Deno.exit(1);
