/** What `deno task test` does, with files of tests that are made for it. */
import { fileURLToPath } from "node:url";
import { plan, readArguments } from "../../tools/test_plan.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { isRunning, until } from "../support/processes.ts";

const COMMAND = fileURLToPath(new URL("../../tools/test.ts", import.meta.url));

const SAYS = "console.log('what it says')";

/** A folder with these files. */
async function folderWith(files: Readonly<Record<string, string>>) {
  const path = await Deno.makeTempDir();
  for (const [name, text] of Object.entries({ "deno.json": "{}", ...files })) {
    await Deno.mkdir(`${path}/${name}`.replace(/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${path}/${name}`, text);
  }
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

function start(cwd: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", COMMAND, ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** Runs the command on these files. */
async function run(files: Readonly<Record<string, string>>, args: readonly string[], env?: Record<string, string>) {
  await using folder = await folderWith(files);
  const { code, stdout, stderr } = await start(folder.path, args, env).output();
  const [out = "", err = ""] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, err, out, lines: out.replaceAll(/\((\d+(µs|ms|s|m))+\)/g, "(time)").split("\n") };
}

Deno.test("each file is one line, and the last line has the figures of all", async () => {
  const { code, lines } = await run({
    "tests/a_test.ts": `Deno.test("a", async (t) => void await t.step("first", () => { ${SAYS} }));`,
    "tests/b/b_test.ts": 'Deno.test("b", () => {}); Deno.test("c", () => {});',
    "mod.ts": "/**\n * ```ts\n * const one: number = 1;\n * ```\n */\nexport const a = 1;",
    "strategy.ts": "",
    "backend.ts": "",
    "testing.ts": "",
    "src/a.ts": "",
  }, []);
  assertEquals(code, 0);
  assertEquals(lines.toSorted(), [
    "",
    "",
    "",
    "checking the types of 3 files …",
    "mod.ts strategy.ts backend.ts testing.ts src | ok | 1 passed | 0 failed (time)",
    "ok | 4 passed (1 step) | 0 failed (time)",
    "tests/a_test.ts | ok | 1 passed (1 step) | 0 failed (time)",
    "tests/b/b_test.ts | ok | 2 passed | 0 failed (time)",
  ]);
  assertEquals(lines.at(-3), "ok | 4 passed (1 step) | 0 failed (time)");
});

Deno.test("what a file that fails has written stands together, and the tests that failed are named at the end", async () => {
  const talks = (name: string) => `
    Deno.test("${name}", async () => {
      for (let i = 0; i < 20; i++) await new Deno.Command("echo", { args: ["${name} " + i], stdout: "inherit" }).output();
      throw new Error("${name} broke");
    });`;
  const files = { "tests/a_test.ts": talks("a"), "tests/b_test.ts": talks("b"), "tests/c_test.ts": "Deno.exit(3);" };
  const { code, lines } = await run(files, ["tests"]);
  assertEquals(code, 1);
  for (const name of ["a", "b"]) {
    const first = lines.indexOf(`running 1 test from ./tests/${name}_test.ts`);
    const own = lines.slice(first, lines.indexOf(`tests/${name}_test.ts | FAILED | 0 passed | 1 failed (time)`));
    const said = own.filter((line) => /^[abc] \d+$/.test(line));
    assertEquals(said, Array.from({ length: 20 }, (_, i) => `${name} ${i}`));
    assert(own.includes(`error: Error: ${name} broke`));
    assert(lines.includes(`failed | tests/${name}_test.ts | ${name}`));
  }
  assert(lines.includes("failed | tests/c_test.ts | exit code 1"));
  assertEquals(lines.filter((line) => line.startsWith("FAILED")), ["FAILED | 0 passed | 3 failed (time)"]);
});

Deno.test("as many files as DENO_JOBS says run at a time, those that take longest first", async () => {
  const meet = (here: string, there: string) => `
    Deno.test("meets", async () => {
      await Deno.writeTextFile("${here}", "");
      while (!await Deno.stat("${there}").then(() => true, () => false)) await new Promise((go) => setTimeout(go, 10));
    });`;
  const files = { "a_test.ts": meet("a", "b"), "b_test.ts": meet("b", "a") };
  const { code } = await run(files, ["a_test.ts", "b_test.ts"], { DENO_JOBS: "2" });
  assertEquals(code, 0);
  const names = (await plan(["tests"])).map(({ name }) => name);
  assertEquals(names[0], "tests/examples/compile_test.ts");
  assert(names.includes("tests/tools/test_command_test.ts"));
});

Deno.test("a file, an option and what the tests are told are each taken as what they are", async () => {
  const files = {
    "a_test.ts": 'Deno.test("one", () => {}); Deno.test("two words", () => { if (Deno.args[0] !== "--so") throw 1; });',
    "b_test.ts": 'Deno.test("three", () => { throw 1; });',
  };
  const { code, lines } = await run(files, ["a_test.ts", "--filter", "two words", "--", "--so"]);
  assertEquals(code, 0);
  assert(lines.includes("two words ... ok (time)"), "Of a file that is named all is shown.");
  assert(lines.includes("ok | 1 passed | 0 failed | 1 filtered out (time)"));
  assertEquals(readArguments(["--seed=1", "a", "--filter", "b", "c", "--", "d"]), {
    paths: ["a", "c"],
    options: ["--seed=1", "--filter", "b"],
    forTests: ["--", "d"],
  });
  await assertRejects(() => plan(["b_test.ts"]), Error, "Cannot run b_test.ts: there is no such file.");
});

Deno.test("the tests that were left out are counted by the reason in their names; without one it is a failure", async () => {
  const leftOut = (...names: readonly string[]) =>
    names.map((name) => `Deno.test({ name: ${JSON.stringify(name)}, ignore: true, fn: () => {} });`).join("\n");
  const files = {
    "a_test.ts": leftOut('a (left out: no "a" & b)', "d (left out: no d)") +
      'Deno.test("f (left out: not so)", () => {});',
    "b_test.ts": leftOut('c (left out: no "a" & b)'),
    "c_test.ts": leftOut("e"),
  };
  const reasons = ['left out | 2 tests | no "a" & b', "left out | 1 test | no d"];
  const good = await run(files, ["a_test.ts", "b_test.ts"]);
  assertEquals([good.code, ...good.lines.filter((line) => line.startsWith("left out"))], [0, ...reasons]);
  const bad = await run(files, ["."]);
  const silent = "left out | 1 test | for no reason: say it in the name";
  assertEquals([bad.code, ...bad.lines.filter((line) => line.startsWith("left out"))], [1, ...reasons, silent]);
});

Deno.test("a file whose types are wrong fails before any is run", async () => {
  const { code, out, err } = await run({ "a_test.ts": "const a: number = ''; Deno.test('a', () => {});" }, [
    "a_test.ts",
  ]);
  assertEquals([code, out], [1, "checking the types of 1 file …\n"]);
  assertStringIncludes(err, "TS2322");
});

Deno.test("a command that is told to end says which files still ran, and leaves none behind", async () => {
  const hangs =
    'Deno.test("hangs", async () => { await Deno.writeTextFile("pid", `${Deno.pid}`); await new Promise((go) => setTimeout(go, 1e9)); });';
  await using folder = await folderWith({ "a_test.ts": hangs });
  const temp = await Deno.makeTempDir();
  const child = start(folder.path, ["a_test.ts"], { TMPDIR: temp });
  const pid = () => Deno.readTextFile(`${folder.path}/pid`).then(Number, () => 0);
  await until(async () => await pid() > 0, "the test runs");
  child.kill("SIGTERM");
  const { code, stdout } = await child.output();
  assertEquals(code, 143);
  assertStringIncludes(new TextDecoder().decode(stdout), "still running | a_test.ts\n");
  const ran = await pid();
  await until(async () => !await isRunning(ran), "the test has ended");
  assertEquals([...Deno.readDirSync(temp)], []);
  await Deno.remove(temp);
});
