// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { fileURLToPath } from "node:url";
import { DenoKvBackend } from "../../mod.ts";
import { DEFAULT_EXAMPLE, EXAMPLES, ROLES } from "../../examples/catalog.ts";
import { PERMISSIONS } from "../../examples/shared/role.ts";
import { noOwnRedis, RedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { call, connect } from "../interop/support/client.ts";
import { assertShown } from "./support/shown.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs deno. Fails with all of its output if it fails. */
async function deno(args: readonly string[], options: Deno.CommandOptions = {}): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { cwd: ROOT, ...options, args: [...args], stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  const shown = new TextDecoder().decode(stdout);
  assert(success, shown + new TextDecoder().decode(stderr));
  return shown;
}

/** Runs deno until it has written `seen`, and interrupts it. Fails if it ends without that. Returns what it wrote. */
async function untilShown(args: readonly string[], options: Deno.CommandOptions, seen: string): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { ...options, args: [...args], stdin: "null", stdout: "piped" });
  const child = command.spawn();
  let shown = "";
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    if (!shown.includes(seen) && (shown += text).includes(seen)) child.kill("SIGINT");
  }
  assertEquals((await child.status).code, 130);
  assertStringIncludes(shown, seen);
  return shown;
}

async function taskCommand(name: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  return tasks[name].command.split(" ");
}

Deno.test("the executable contains every role, and has exactly the permissions that the examples need", async () => {
  const folder = await Deno.makeTempDir();
  const executable = `${folder}/mcp-jobs-examples`;
  const [, ...args] = (await taskCommand("compile")).map((word) => word.startsWith("dist/") ? executable : word);
  args.splice(1, 0, "--no-check"); // The types are checked elsewhere.
  // The real runtime of executables cannot be downloaded everywhere. Deno replaces it, since nothing is run here.
  await deno(args, { env: { DENORT_BIN: Deno.execPath() } });
  const runtime = (await Deno.stat(Deno.execPath())).size;
  // What stands behind the runtime, with one character per byte: searching a string is much faster than searching bytes.
  const written = new TextDecoder("latin1").decode((await Deno.readFile(executable)).subarray(runtime));
  await Deno.remove(folder, { recursive: true });

  for (const role of ROLES.keys()) {
    const source = new TextDecoder("latin1").decode(
      await Deno.readFile(`${ROOT}examples/${role.replace(" ", "/")}.ts`),
    );
    assert(written.includes(source), `The executable does not contain ${role}.`);
  }
  const metadata = written.slice(written.lastIndexOf('{"argv":[]'));
  const permissions: Record<string, unknown> = JSON.parse(/"permissions":(\{.*?\})/.exec(metadata)?.[1] ?? "");
  // An empty list means all; what was not granted is null. Imports of remote modules are allowed by default.
  const granted = Object.keys(permissions).filter((name) =>
    name.startsWith("allow_") && name !== "allow_import" && permissions[name] !== null
  );
  assertEquals(granted.sort(), PERMISSIONS.map((flag) => flag.slice(2).replace("-", "_")).sort());
  assertStringIncludes(metadata, '"features":["kv"]');
});

Deno.test("the examples run with the permissions of the executable", async () => {
  for (const task of ["example", "compile"]) {
    assertEquals((await taskCommand(task)).filter((word) => word.startsWith("--allow")), PERMISSIONS);
  }
});

Deno.test("a bundle of the same entry runs every role from an empty folder", async (t) => {
  const folder = await Deno.makeTempDir();
  const bundle = `${folder}/main.js`;
  // Where JSR cannot be reached, these could not be bundled; the command line then has a stand-in.
  const external = ["@std/cli/parse-args", "@std/cli/unicode-width"].flatMap((name) => ["--external", name]);
  await deno(["bundle", "--platform", "deno", ...external, "--output", bundle, "examples/main.ts"]);
  const [cwd, served] = [await Deno.makeTempDir(), await Deno.makeTempDir()];
  // Not the Redis of REDIS_URL: examples_test.ts checks that the examples leave no keys there.
  await using redis = noOwnRedis === undefined ? await RedisServer.start() : undefined;
  const env = { DENO_DIR: `${folder}/cache`, NO_COLOR: "1", REDIS_URL: redis?.url ?? "" };
  const args = ["run", ...PERMISSIONS, "--unstable-kv", "--no-config", "--cached-only", bundle];

  // It runs first and alone, and fills the cache, so that the processes below need not compile the bundle again.
  await t.step("background_command server", async () => {
    await Deno.writeTextFile(
      `${served}/commands.json`,
      JSON.stringify({ greet: { command: "echo", args: ["hello"] } }),
    );
    const transport = new StdioClientTransport({
      command: Deno.execPath(),
      args: [...args, "background_command", "server"],
      cwd: served,
      env,
    });
    await using connection = await connect(transport);
    const { structuredContent } = await call(connection.client, "run_command", { command: "greet" });
    assertEquals(structuredContent?.output, "hello\n");
  });

  await t.step("cli", async () => {
    assertStringIncludes(await deno([...args, "cli", "--help"], { cwd, env }), "Usage: mcp-jobs COMMAND");
  });

  await t.step("cli dashboard: it serves its page", async () => {
    const kv = `${folder}/jobs.kv`;
    await (await DenoKvBackend.open({ path: kv })).close();
    await using served = new Deno.Command(Deno.execPath(), {
      ...{ args: [...args, "cli", "dashboard", "--kv", kv], cwd, env },
      ...{ stdout: "piped", stderr: "null" },
    }).spawn();
    const reader = served.stdout.getReader();
    const url = new TextDecoder().decode((await reader.read()).value).trim();
    for (const [path, type] of [["/", "text/html"], ["/app.js", "text/javascript"]] as const) {
      const response = await fetch(new URL(path, url));
      assertEquals([response.status, response.headers.get("content-type")?.split(";")[0]], [200, type]);
      await response.body?.cancel();
    }
    await reader.cancel();
    served.kill("SIGINT");
    assertEquals((await served.status).code, 0);
  });

  // The one that runs without a name takes 42 s: the bundle starts it, and `.ci/run` runs it to its end.
  const short = [...EXAMPLES.keys()].filter((name) => name !== DEFAULT_EXAMPLE);
  const optionsOf = (name: string) => redis && name === "approach3" ? ["--backend=redis"] : [];
  const adaptive = untilShown(
    [...args, "example"],
    { cwd, env },
    "SDK 2, tasks  generate_report  result",
  );
  // Two at a time: if all ran at once, a client on a busy machine would be too late for what it polls.
  const lanes: Promise<unknown>[] = [Promise.resolve(), Promise.resolve()];
  const runs = short.map((name) => [name, ...optionsOf(name)]).map((words, index) => {
    const lane = index % lanes.length;
    const run = Promise.resolve(lanes[lane]).then(() => deno([...args, "example", ...words], { cwd, env }));
    lanes[lane] = run.catch(() => {}); // Its step reports it.
    return { words, run };
  });
  for (const { words, run } of runs) {
    await t.step(`example ${words.join(" ")}: its worker, client and server`, async () => {
      const shown = await run;
      assertStringIncludes(shown, `${words[0]} passed:`);
      assertShown(words[0] ?? "", shown);
    });
  }
  await t.step("example, without a name: adaptive, which shows each client's answers", async () => {
    const shown = (await adaptive).split("\n").map((line) => line.replace(/^ *[\d.]+ s {2}/, ""));
    for (const client of ["SDK 1, tasks", "SDK 2, tasks"]) {
      assert(shown.includes(`${client}  rebuild_index    task    working`), shown.join("\n"));
    }
  });
  assertEquals([...Deno.readDirSync(cwd)], []);
  for (const path of [cwd, served, folder]) await Deno.remove(path, { recursive: true });
});
