/** What `deno task test` does, with files of tests that are made for it. */
import { fileURLToPath } from "node:url";
import { LONGEST, plan, readArguments } from "../../tools/test/plan.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { isRunning, until } from "../support/processes.ts";

const COMMAND = fileURLToPath(new URL("../../tools/test/main.ts", import.meta.url));

const SAYS = "console.log('what it says')";

/** The modules that hold no tests, of which the command takes the examples in their comments. */
const EMPTY = {
  "mod.ts": "",
  "strategy.ts": "",
  "backend.ts": "",
  "testing.ts": "",
  "dashboard.ts": "",
  "docs/recipes/README.md": "",
  "src/a.ts": "",
};

/** A test whose types are wrong, and settings with which a check takes a third of the time. */
const WRONG = "declare const Deno: any; const a: number = ''; Deno.test('a', () => {});";
const FEW_TYPES = { "deno.json": '{ "compilerOptions": { "lib": ["es5"] } }' };

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
    ...EMPTY,
    "mod.ts": "/**\n * ```ts\n * const one: number = 1;\n * ```\n */\nexport const a = 1;",
  }, ["--no-check"]);
  assertEquals(code, 0);
  assertEquals(lines.toSorted(), [
    "",
    "",
    "",
    "docs/recipes mod.ts strategy.ts backend.ts testing.ts dashboard.ts src | ok | 1 passed | 0 failed (time)",
    "ok | 4 passed (1 step) | 0 failed (time)",
    "tests/a_test.ts | ok | 1 passed (1 step) | 0 failed (time)",
    "tests/b/b_test.ts | ok | 2 passed | 0 failed (time)",
  ]);
  assertEquals(lines.at(-3), "ok | 4 passed (1 step) | 0 failed (time)");
});

Deno.test("an example whose assertion is wrong fails", async () => {
  const example = (assertion: string) =>
    `/**\n * \`\`\`ts\n * console.assert(${assertion});\n * \`\`\`\n */\nexport const a = 1;`;
  for (const [assertion, code] of [["1 + 1 === 2", 0], ["1 + 1 === 3", 1]] as const) {
    const files = { ...EMPTY, "tests/a_test.ts": "Deno.test('a', () => {});", "mod.ts": example(assertion) };
    assertEquals((await run(files, ["--no-check"])).code, code, assertion);
  }
});

Deno.test("an example in a documentation comment is a test named by its place, unless it is to be ignored", async () => {
  const example = (marks: string, code: string) => ` * \`\`\`ts${marks}\n * ${code}\n * \`\`\`\n *\n`;
  const examples = [
    example("", "export const fine: number = 1;"),
    example(" ignore", "throw new Error('ignored');"),
    example("", "throw new Error('broke');"),
  ];
  const { code, lines } = await run({ "mod.ts": `/**\n${examples.join("")} */\n` }, ["mod.ts", "--no-check"]);
  assertEquals(code, 1);
  assert(lines.includes("mod.ts | FAILED | 1 passed | 1 failed (time)"), lines.join("\n"));
  assert(lines.includes("failed | mod.ts | mod.ts:10 | Error: broke"), lines.join("\n"));
});

Deno.test("the output of a file that fails is printed together, and the failed tests are named at the end with their errors", async () => {
  const talks = (name: string) => `
    Deno.test("${name}", async () => {
      for (let i = 0; i < 20; i++) await new Deno.Command("echo", { args: ["${name} " + i], stdout: "inherit" }).output();
      throw new Error("${name} broke");
    });`;
  const files = { "tests/a_test.ts": talks("a"), "tests/b_test.ts": talks("b"), "tests/c_test.ts": "Deno.exit(3);" };
  const { code, lines } = await run(files, ["tests", "--no-check"]);
  assertEquals(code, 1);
  for (const name of ["a", "b"]) {
    const first = lines.indexOf(`running 1 test from ./tests/${name}_test.ts`);
    const own = lines.slice(first, lines.indexOf(`tests/${name}_test.ts | FAILED | 0 passed | 1 failed (time)`));
    const said = own.filter((line) => /^[abc] \d+$/.test(line));
    assertEquals(said, Array.from({ length: 20 }, (_, i) => `${name} ${i}`));
    assert(own.includes(`error: Error: ${name} broke`));
    assert(lines.includes(`failed | tests/${name}_test.ts | ${name} | Error: ${name} broke`));
  }
  assert(lines.includes("failed | tests/c_test.ts | exit code 1"));
  assertEquals(lines.filter((line) => line.startsWith("FAILED")), ["FAILED | 0 passed | 3 failed (time)"]);
});

Deno.test("files of one folder share a process, unless one of them needs its own; each is a line, and has its failures", async () => {
  const samePid = `
    const pid = await Deno.readTextFile("pid").catch(() => Deno.pid);
    await Deno.writeTextFile("pid", String(Deno.pid));
    if (Number(pid) !== Deno.pid) throw new Error("It has a process of its own.");`;
  const steps = (name: string, more = "") =>
    `Deno.test("${name}", async (t) => { ${samePid} await t.step("a step", () => {}); ${more} });`;
  const files = {
    "tests/a_test.ts": steps("a"),
    "tests/b_test.ts": steps("b", 'throw new Error("b broke");'),
    "tests/c_test.ts": steps("c: <&> c") + 'Deno.test({ name: "d (left out: no d)", ignore: true, fn: () => {} });',
    "tests/e/e_test.ts": 'Deno.test("e", () => { Deno.env.set("HERE", "only"); });',
    "tests/e/f_test.ts": 'import { test } from "./helper.ts";\ntest("f");',
    "tests/e/g_test.ts": 'import { test } from "./helper.ts";\ntest("g");\nDeno.test(function h() {});',
    "tests/e/i_test.ts":
      'Deno.test("i", { permissions: "inherit" }, () => { if (Deno.env.has("HERE")) throw new Error("With e."); });',
    "tests/e/helper.ts": `export const test = (name: string) => Deno.test({ name, fn: async () => { ${
      samePid.replaceAll('"pid"', '"pid of e"')
    } } });`,
    "tests/j/j_test.ts": 'import { run } from "./helper_of_helper.ts";\nDeno.test("j", run);',
    "tests/j/k_test.ts":
      'Deno.test("k", () => { if (Deno.env.has("HERE") || "of" in globalThis) throw new Error("With j or l."); });',
    "tests/j/l_test.ts":
      "const trace = { setGlobalTracerProvider: (of: string) => Object.assign(globalThis, { of }) };" +
      '\ntrace.setGlobalTracerProvider("l");\nDeno.test("l", () => {});',
    "tests/j/helper_of_helper.ts": 'import { run } from "./sets.ts";\nexport { run };',
    "tests/j/sets.ts": 'export const run = () => Deno.env.set("HERE", "too");',
    ...EMPTY,
  };
  const { code, lines, out } = await run(files, ["--no-check"]);
  assertEquals([code, lines.filter((line) => /^tests\/\S+ \|/.test(line)).toSorted()], [1, [
    "tests/a_test.ts | ok | 1 passed (1 step) | 0 failed (time)",
    "tests/b_test.ts | FAILED | 0 passed (1 step) | 1 failed (time)",
    "tests/c_test.ts | ok | 1 passed (1 step) | 0 failed | 1 ignored (time)",
    "tests/e/e_test.ts | ok | 1 passed | 0 failed (time)",
    "tests/e/f_test.ts | ok | 1 passed | 0 failed (time)",
    "tests/e/g_test.ts | ok | 2 passed | 0 failed (time)",
    "tests/e/i_test.ts | ok | 1 passed | 0 failed (time)",
    "tests/j/j_test.ts | ok | 1 passed | 0 failed (time)",
    "tests/j/k_test.ts | ok | 1 passed | 0 failed (time)",
    "tests/j/l_test.ts | ok | 1 passed | 0 failed (time)",
  ]], out);
  assert(lines.includes("error: Error: b broke") && lines.includes("failed | tests/b_test.ts | b | Error: b broke"));
  assert(lines.includes("left out | 1 test | no d"));
  assertEquals(lines.filter((line) => line.startsWith("FAILED")), [
    "FAILED | 10 passed (3 steps) | 1 failed | 1 ignored (time)",
  ]);
});

Deno.test("files that share a process fail all together where it ends early, and a file without a test of its own fails", async () => {
  const ends = { "tests/a_test.ts": 'Deno.test("a", () => {});', "tests/b_test.ts": "const { exit } = Deno; exit(3);" };
  const early = await run({ ...ends, ...EMPTY }, ["--no-check"]);
  assertEquals(early.lines.filter((line) => line.startsWith("failed |")), [
    "failed | tests/a_test.ts | exit code 1",
    "failed | tests/b_test.ts | exit code 1",
  ]);
  const none = await run({ ...ends, "tests/b_test.ts": "", ...EMPTY }, ["--no-check"]);
  assertEquals([none.code, none.lines.filter((line) => line.startsWith("failed |"))], [1, [
    "failed | tests/b_test.ts | it has no test",
  ]]);
});

Deno.test("as many files as DENO_JOBS says run at a time, those that take longest first", async () => {
  const meet = (here: string, there: string) => `
    Deno.test("meets", async () => {
      await Deno.writeTextFile("${here}", "");
      while (!await Deno.stat("${there}").then(() => true, () => false)) await new Promise((go) => setTimeout(go, 10));
    });`;
  const files = { "a_test.ts": meet("a", "b"), "b_test.ts": meet("b", "a") };
  const { code } = await run(files, ["a_test.ts", "b_test.ts", "--no-check"], { DENO_JOBS: "2" });
  assertEquals(code, 0);
  const runs = await plan({ paths: [], options: [] });
  assertEquals(runs.slice(0, LONGEST.length).map(({ name }) => name), LONGEST);
  assert(runs.some(({ files }) => files.includes("tests/tools/test_command_test.ts")));
});

Deno.test("files, options and arguments for the tests are distinguished", async () => {
  const files = {
    "a_test.ts": 'Deno.test("one", () => {}); Deno.test("two words", () => { if (Deno.args[0] !== "--so") throw 1; });',
    "b_test.ts": 'Deno.test("three", () => { throw 1; });',
  };
  const { code, lines } = await run(files, ["a_test.ts", "--no-check", "--filter", "two words", "--", "--so"]);
  assertEquals(code, 0);
  assert(lines.includes("two words ... ok (time)"), "Of a file that is named all is shown.");
  assert(lines.includes("ok | 1 passed | 0 failed | 1 filtered out (time)"));
  assertEquals(readArguments(["--seed=1", "a", "--filter", "b", "c", "--", "d"]), {
    paths: ["a", "c"],
    options: ["--seed=1", "--filter", "b"],
    forTests: ["--", "d"],
  });
  await assertRejects(
    () => plan({ paths: ["b_test.ts"], options: [] }),
    Error,
    "Cannot run b_test.ts: there is no such file.",
  );
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
  const good = await run(files, ["a_test.ts", "b_test.ts", "--no-check"]);
  assertEquals([good.code, ...good.lines.filter((line) => line.startsWith("left out"))], [0, ...reasons]);
  const bad = await run(files, [".", "--no-check"]);
  const silent = "left out | 1 test | for no reason: say it in the name";
  assertEquals([bad.code, ...bad.lines.filter((line) => line.startsWith("left out"))], [1, ...reasons, silent]);
});

Deno.test("type errors fail a run of all files, even if some have run by then", async () => {
  const files = { "tests/a_test.ts": WRONG, ...FEW_TYPES, ...EMPTY };
  const { code, err } = await run(files, []);
  assertEquals(code, 1);
  assertStringIncludes(err, "TS2322");
});

Deno.test("a named file with type errors fails before any file is run", async () => {
  const { code, out, err } = await run({ "a_test.ts": WRONG, ...FEW_TYPES }, ["a_test.ts"]);
  assertEquals([code, out], [1, "checking the types …\n"]);
  assertStringIncludes(err, "TS2322");
});

Deno.test("a command that is told to end says which files still ran, and leaves none behind", async () => {
  const hangs =
    'Deno.test("hangs", async () => { await Deno.writeTextFile("pid", `${Deno.pid}`); await new Promise((go) => setTimeout(go, 1e9)); });';
  await using folder = await folderWith({ "a_test.ts": hangs });
  const temp = await Deno.makeTempDir();
  const child = start(folder.path, ["a_test.ts", "--no-check"], { TMPDIR: temp });
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
