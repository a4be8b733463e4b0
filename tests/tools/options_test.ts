import { parse, usage } from "../../tools/options.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../../tools/std.ts";

const OPTIONS = { backend: ["kv", "redis"], tasks: 2_000, quick: false, url: "" } as const;

Deno.test("a command has the values of its options, and the defaults of those that are not given", () => {
  assertEquals(parse([], OPTIONS), { backend: "kv", tasks: 2_000, quick: false, url: "" });
  const given = ["--backend", "redis", "--tasks=20", "--quick", "--url", "here"];
  assertEquals(parse(given, OPTIONS), { backend: "redis", tasks: 20, quick: true, url: "here" });
});

Deno.test("a command refuses what it does not know, and values that do not fit", () => {
  for (const args of [["--backends", "kv"], ["kv"], ["--quick=yes"], ["--tasks"]]) {
    assertThrows(() => parse(args, OPTIONS), TypeError);
  }
  assertThrows(() => parse(["--backend", "mysql"], OPTIONS), TypeError, `"mysql" as --backend: it takes kv|redis`);
  assertThrows(() => parse(["--tasks", "many"], OPTIONS), TypeError, `"many" as --tasks: it takes a whole number`);
});

/** Each command that measures or kills would otherwise run for minutes, as if nothing had been asked. */
const COMMANDS: readonly string[] = [
  "bench/main.ts",
  "bench/http/main.ts",
  "bench/dashboard/main.ts",
  "bench/operating.ts",
  "bench/soak.ts",
  "chaos/main.ts",
  "chaos/states/main.ts",
  "chaos/steering/main.ts",
  "tests/conformance/run.ts",
];

async function run(...args: readonly string[]): Promise<{ readonly code: number; readonly said: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "--quiet", "--no-check", ...args] });
  const { code, stdout, stderr } = await command.output();
  return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

for (const file of COMMANDS) {
  Deno.test(`${file} refuses a backend that does not exist, and says which there are`, async () => {
    const { code, said } = await run(file, "--backend", "mysql");
    assertEquals(code, 2, said);
    assertStringIncludes(said, 'Cannot use "mysql" as --backend: it takes ');
  });
}

Deno.test("a command that is asked for help shows its options, and does nothing else", async () => {
  const { code, said } = await run("bench/soak.ts", "--help");
  assertEquals([code, said], [0, "Options, with their defaults: [--backend kv|redis|postgres] [--tasks 50000]\n"]);
});

Deno.test("the usage names each option with what it takes", () => {
  const all = "[--backend kv|redis] [--tasks 2000] [--quick] [--url TEXT]";
  assertEquals(usage(OPTIONS), `Options, with their defaults: ${all}`);
});
