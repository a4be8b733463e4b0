import { Redis } from "ioredis";
import pg from "pg";
import { fileURLToPath } from "node:url";
import { check } from "../../examples/runner/check.ts";
import type { Update } from "../../examples/shared/update.ts";
import { noOwnPostgres, noPostgres, PostgresServer } from "../../tools/postgres_server.ts";
import { answers, noOwnRedis, noRedis, openRedis } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { descendants, isRunning, until } from "../support/processes.ts";
import { testUnless } from "../support/test_unless.ts";
import { assertShown } from "./support/shown.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MAIN = `${ROOT}examples/main.ts`;

/** A running example. The runner keeps its queue in `temp`, so that a test sees whether anything is left behind. */
interface Run {
  readonly temp: string;
  readonly child: Deno.ChildProcess;
}

/** Starts the runner. Its output is piped, so it writes plain lines. It has its own process group, to receive Ctrl+C. */
async function begin(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const temp = await Deno.makeTempDir();
  await Deno.chmod(temp, 0o755); // PostgreSQL, which does not run as root, has its folder there.
  const child = new Deno.Command(Deno.execPath(), {
    args: [...args],
    cwd: ROOT,
    env: { TMPDIR: temp, NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  return { temp, child };
}

/** Waits for the end. Fails if the runner left a file behind. */
async function finish({ temp, child }: Run) {
  const { code, stdout, stderr } = await child.output();
  await assertEmpty(temp);
  return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
}

async function assertEmpty(temp: string): Promise<void> {
  assertEquals(Array.from(Deno.readDirSync(temp), ({ name }) => name), []);
  await Deno.remove(temp);
}

/** Interrupts an example once it has shown `seen`. Returns what it wrote once no process that it started is running. */
async function interrupt({ child }: Run, send: (pid: number) => void, seen = "25 %") {
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let out = "";
  while (!out.includes(seen)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The example ended too early: ${out}${await errors}`);
    out += value;
  }
  const family = await descendants(child.pid);
  assert(family.length >= 3, "A worker, a client and a server run.");
  send(child.pid);
  while (!(await reader.read()).done);
  const { code } = await child.status;
  for (const pid of family) await until(async () => !await isRunning(pid), `process ${pid} of the example is gone`);
  return { code, out, err: await errors };
}

/**
 * Runs one example to its end. All others run in compile_test.ts, from the bundle, and `.ci/run` runs each of them on
 * each backend.
 */
async function pass(name: string, options: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await finish(await begin(["task", "example", name, ...options], env));
  assertEquals(code, 0, `${out}${err}`);
  assertShown(name, out);
}

Deno.test("an example passes, and shows what its client sees", () => pass("with_package", []));

Deno.test("an approval fails its checks if its first step ran again on the second worker, or if it asked twice", () => {
  const expected = { about: "", question: "Publish?" };
  const result = { revenue: 42_000, approvedBy: "Ann", url: "https://reports.example.com/42?key=1:publish" };
  const seen = (workers: readonly number[], asked: readonly string[]): readonly Update[] => [
    ...["working", "input_required"].map((status) => ({ status })),
    ...asked.map((question) => ({ asked: question })),
    { status: "completed" },
    { result: { ...result, workers } },
  ];
  const wrong = (updates: readonly Update[]) =>
    check(updates, expected).filter(({ ok }) => !ok).map(({ text }) => text);
  assertEquals(wrong(seen([1, 2], ["Publish?"])), []);
  assertEquals(wrong(seen([2, 2], ["Publish?"])), ["the first step ran on worker 2, the last on 2"]);
  assertEquals(wrong(seen([1, 2], ["Publish?", "Publish?"])), ["asked, once: Publish?, Publish?, not Publish?"]);
  assertEquals(wrong(seen([1, 2], ["Publish?"]).slice(0, -1)).length, 3);
});

testUnless(
  noRedis,
  "an example passes on the Redis of REDIS_URL, and leaves no keys behind",
  async () => {
    await using redis = await openRedis();
    const client = new Redis(redis.url);
    const before = new Set(await client.keys("mcp-jobs-example*"));
    await pass("approach3_notify", ["--backend", "redis"], { REDIS_URL: redis.url });
    assertEquals((await client.keys("mcp-jobs-example*")).filter((key) => !before.has(key)), []);
    await client.quit();
  },
);

/** Without a named Redis, the runner looks for one or starts one. */
const FIND_REDIS = { REDIS_URL: "" };

testUnless(
  noPostgres,
  "an example passes on the PostgreSQL of POSTGRES_URL, and leaves no schema behind",
  async () => {
    await using postgres = await PostgresServer.start();
    const url = await postgres.makeDatabase();
    await pass("approach3_notify", ["--backend", "postgres"], { POSTGRES_URL: url });
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'mcp_jobs%'");
    await client.end();
    assertEquals(rows, []);
  },
);

/** Without a named PostgreSQL, the runner starts one. */
const START_POSTGRES = { POSTGRES_URL: "" };

for (
  const [database, backend, missing, env] of [
    ["a Redis", "redis", noOwnRedis, FIND_REDIS],
    ["a PostgreSQL", "postgres", noOwnPostgres, START_POSTGRES],
  ] as const
) {
  testUnless(missing, `Ctrl+C also ends ${database} that the runner has started`, async () => {
    const run = await begin(["task", "example", "approach3", "--backend", backend], env);
    const { code, err } = await interrupt(run, (pid) => Deno.kill(-pid, "SIGINT"));
    assertEquals(code, 130);
    assertStringIncludes(err, "approach3 failed: it was interrupted.");
    await assertEmpty(run.temp);
  });

  testUnless(missing, `when the runner is killed, ${database} that it has started ends`, async () => {
    const run = await begin(["run", "--allow-all", MAIN, "example", "baseline", "--backend", backend], env);
    const { code } = await interrupt(run, (pid) => Deno.kill(pid, "SIGKILL"));
    assertEquals(code, 137);
    await assertEmpty(run.temp);
  });
}

Deno.test("if the PostgreSQL of POSTGRES_URL does not answer, the error does not show its password", async () => {
  const args = ["task", "example", "approach3", "--backend", "postgres"];
  const { code, err } = await finish(await begin(args, { POSTGRES_URL: "postgres://user:secret@127.0.0.1:9/jobs" }));
  assertEquals(code, 1);
  const text = "PostgreSQL, the one that POSTGRES_URL names, cannot be used: connect ECONNREFUSED 127.0.0.1:9";
  assertStringIncludes(err, text);
  assertEquals(err.includes("secret"), false);
});

const redisIsThere = await answers(6379) ? "stop the Redis on localhost:6379" : undefined;

testUnless(redisIsThere, "without a Redis, the runner says how to get one", async () => {
  const nothing = await Deno.makeTempDir();
  const args = ["run", "--allow-all", MAIN, "example", "approach3", "--backend=redis"];
  const { code, err } = await finish(await begin(args, { ...FIND_REDIS, PATH: nothing }));
  assertEquals(code, 1);
  assertStringIncludes(
    err,
    "approach3 failed: there is no Redis: REDIS_URL is not set, none answers on localhost:6379",
  );
  assertStringIncludes(err, "apt-get install redis-server");
  await Deno.remove(nothing);
});

/**
 * A fake `docker`, alone on the PATH. `run` is the sh code of its `docker run`; $port is the published port. It writes its
 * calls and its process id to files beside it.
 */
async function standInForDocker(run: string) {
  const folder = await Deno.makeTempDir();
  const script = `#!/bin/sh
echo "$@" >> "${folder}/calls"
[ "$1" = run ] || exit 0
for word; do case "$word" in 127.0.0.1:*:6379) port="\${word#127.0.0.1:}"; port="\${port%:6379}";; esac; done
echo $$ > "${folder}/pid"
${run}`;
  await Deno.writeTextFile(`${folder}/docker`, script, { mode: 0o755 });
  return {
    env: { ...FIND_REDIS, PATH: folder },
    calls: async () => (await Deno.readTextFile(`${folder}/calls`)).trim().split("\n"),
    pid: async () => Number(await Deno.readTextFile(`${folder}/pid`).catch(() => 0)),
    [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }),
  };
}

const ON_REDIS = ["run", "--allow-all", MAIN, "example", "with_package", "--backend=redis"];
const sleep = await which("sleep");
const redisServer = await which("redis-server");

async function which(program: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", { args: ["-c", `command -v ${program}`] }).output();
  return new TextDecoder().decode(stdout).trim();
}

for (
  const [how, trap] of [["reads no stdin", ""], ["ignores SIGTERM", `trap "" TERM`]] as const
) {
  testUnless(
    redisIsThere,
    `Ctrl+C ends a \`docker run\` that is still downloading and ${how}, with its container`,
    async () => {
      await using docker = await standInForDocker(`${trap}\nexec ${sleep} 600`);
      const run = await begin(ON_REDIS, docker.env);
      const ended = finish(run);
      await until(async () => await docker.pid() > 0, "`docker run` is downloading");
      Deno.kill(-run.child.pid, "SIGINT");
      await until(async () => !await isRunning(run.child.pid), "the runner has ended");
      const { code, out, err } = await ended;
      assertEquals(code, 130);
      assertStringIncludes(out, "downloads redis:7-alpine");
      assertStringIncludes(err, "with_package failed: it was interrupted.");
      await assertContainerGone(docker);
    },
  );
}

testUnless(
  redisIsThere,
  "if `docker run` fails, the example fails with an error that says what to try",
  async () => {
    await using docker = await standInForDocker("echo 'no such image' >&2; exit 125");
    const { code, err } = await finish(await begin(ON_REDIS, docker.env));
    assertEquals(code, 1);
    assertStringIncludes(err, "no such image");
    assertStringIncludes(err, "with_package failed: a container of redis:7-alpine ended before it answered on port ");
    assertStringIncludes(err, "Run `docker pull redis:7-alpine` by hand");
    await assertContainerGone(docker);
  },
);

testUnless(
  noOwnRedis ?? redisIsThere,
  "without redis-server, an example uses a container, which ends with it",
  async () => {
    await using docker = await standInForDocker(
      `trap "" TERM; ${redisServer} --port "$port" --save "" >/dev/null & read line; kill -KILL $!`,
    );
    const { code, out, err } = await finish(await begin(ON_REDIS, docker.env));
    assertEquals(code, 0, err);
    assertStringIncludes(out, "Redis: a container of redis:7-alpine for this run, on port ");
    await assertContainerGone(docker);
  },
);

/** Checks that `docker run` has ended, and that its container was removed by name. */
async function assertContainerGone(docker: Awaited<ReturnType<typeof standInForDocker>>): Promise<void> {
  assert(!await isRunning(await docker.pid()));
  const [info, run = "", remove] = await docker.calls();
  assertEquals(info, "info");
  assertEquals(remove, `rm --force ${/ --name (\S+) /.exec(run)?.[1]}`);
}

Deno.test("if the Redis of REDIS_URL does not answer, the error does not show its password", async () => {
  const args = ["task", "example", "approach3", "--backend", "redis"];
  const { code, err } = await finish(await begin(args, { REDIS_URL: "redis://user:secret@127.0.0.1:9" }));
  assertEquals(code, 1);
  assertStringIncludes(err, "Redis, the one that REDIS_URL names, cannot be used: connect ECONNREFUSED 127.0.0.1:9");
  assert(!err.includes("secret"));
});

Deno.test("Ctrl+C during an example leaves no process and no file behind", async () => {
  const run = await begin(["task", "example", "approach3"]);
  const { code, err } = await interrupt(run, (pid) => Deno.kill(-pid, "SIGINT"));
  assertEquals(code, 130);
  assertStringIncludes(err, "approach3 failed: it was interrupted.");
  await assertEmpty(run.temp);
});

Deno.test("SIGTERM to only the runner leaves no process and no file behind", async () => {
  const run = await begin(["run", "--allow-all", MAIN, "example", "approach3_notify"]);
  const { code, err } = await interrupt(run, (pid) => Deno.kill(pid, "SIGTERM"));
  assertEquals(code, 143);
  assertStringIncludes(err, "approach3_notify failed: it was terminated.");
  await assertEmpty(run.temp);
});

Deno.test("when the runner is killed, all its processes end", async () => {
  const run = await begin(["run", "--allow-all", MAIN, "example", "with_package"]);
  const { code } = await interrupt(run, (pid) => Deno.kill(pid, "SIGKILL"));
  assertEquals(code, 137);
  await Deno.remove(run.temp, { recursive: true });
});

Deno.test("an unknown example is refused with the names of the known ones", async () => {
  for (const name of ["nope", "__proto__", "background_command"]) {
    const { code, err } = await finish(await begin(["task", "example", name]));
    assertEquals(code, 2);
    assertStringIncludes(err, `Cannot run the example "${name}". Choose one of: adaptive, baseline, with_package, `);
  }
});

Deno.test("unknown options and surplus arguments are refused, not ignored", async () => {
  for (
    const [args, surplus] of [[["--backnd=redis", "approach3"], "--backnd"], [
      ["http", "approach3"],
      "approach3",
    ]] as const
  ) {
    const { code, err } = await finish(await begin(["task", "example", ...args]));
    assertEquals(code, 2);
    assertStringIncludes(err, `Cannot use ${surplus}. Usage: example [name] [--backend kv|redis|postgres]`);
  }
});

Deno.test("a server or worker refuses options that it does not know", async () => {
  const { code, err } = await finish(await begin(["run", "--allow-all", MAIN, "adaptive", "worker", "--backnd=redis"]));
  assertEquals(code, 1);
  assertStringIncludes(err, "'--backnd'");
});

Deno.test("an unknown backend is refused with the names of the known ones", async () => {
  const { code, err } = await finish(await begin(["task", "example", "approach3", "--backend", "mysql"]));
  assertEquals(code, 2);
  assertStringIncludes(err, 'Cannot use the backend "mysql". Choose one of: kv, redis, postgres.');
});

Deno.test("the check finds what a client should have seen and has not", () => {
  const result = { user_id: "42", revenue: 42000, items: 17 };
  const good: readonly Update[] = [
    { status: "working" },
    { progress: 0.25 },
    { progress: 0.6 },
    { progress: 0.9 },
    { status: "completed" },
    { result },
    { resource: { uri: "mcp://results/generate_report/1", content: result } },
  ];
  const expected = { about: "", statuses: ["working", "completed"], resource: true };
  const wrong = (updates: readonly Update[]) =>
    check(updates, expected).filter(({ ok }) => !ok).map(({ text }) => text.split(":")[0]);
  assertEquals(wrong(good), []);
  assertEquals(wrong([{ status: "failed" }, ...good]), ["states"]);
  for (const missed of [1, 2, 3]) assertEquals(wrong(good.toSpliced(missed, 1)), []);
  assertEquals(wrong(good.toSpliced(2, 2)), ["progress"]);
  assertEquals(wrong(good.toSpliced(2, 2, { progress: 0.9 }, { progress: 0.6 })), ["progress"]);
  assertEquals(wrong(good.toSpliced(5, 1, { result: { ...result, items: 18 } })), ["result"]);
  assertEquals(wrong(good.slice(0, -1)), ["resource"]);
});

Deno.test("the check finds what one of several clients has not got", () => {
  const call = { client: "plain", job: "rebuild_index", after: 0 };
  const good: readonly Update[] = [
    { call, progress: 0.1 },
    { call, answer: "handle", status: "RUNNING" },
    { call, answer: "handle", status: "RUNNING" },
    { call, answer: "result", result: { orders: 10_000 } },
  ];
  const expected = { about: "", answers: { plain: { rebuild_index: ["handle", "result"] as const } } };
  const wrong = (updates: readonly Update[]) =>
    check(updates, expected).filter(({ ok }) => !ok).map(({ text }) => text.split(":")[0]);
  assertEquals(wrong(good), []);
  assertEquals(wrong(good.slice(1)), ["progress"]);
  assertEquals(wrong(good.toSpliced(1, 2)), ["plain"]);
  assertEquals(wrong(good.toSpliced(3, 1, { call, answer: "result", result: { orders: 9 } })), ["results"]);
  assertEquals(wrong(good.slice(0, -1)), ["plain", "results"]);
  assertEquals(wrong(good.map((update) => ({ ...update, call: { ...call, client: "other" } }))), [
    "plain",
    "progress",
    "results",
  ]);
});
