// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";
import { EXAMPLES, ROLES } from "../../examples/catalog.ts";
import { PERMISSIONS } from "../../examples/shared/role.ts";
import { hasRedisServer } from "../../tools/redis_server.ts";
import { assert, assertEquals, assertStringIncludes } from "../../tools/std.ts";
import { call, connect } from "../interop/support/client.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Runs deno. Fails with its error output if it fails. */
async function deno(args: readonly string[], options: Deno.CommandOptions = {}): Promise<string> {
  const command = new Deno.Command(Deno.execPath(), { cwd: ROOT, ...options, args: [...args], stdin: "null" });
  const { success, stdout, stderr } = await command.output();
  assert(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

async function taskCommand(name: string): Promise<string[]> {
  const { tasks } = JSON.parse(await Deno.readTextFile(`${ROOT}deno.json`));
  return tasks[name].command.split(" ");
}

Deno.test("the executable contains every role, and has exactly the permissions that the examples need", async () => {
  const folder = await Deno.makeTempDir();
  const executable = `${folder}/mcp-jobs-examples`;
  const [, ...args] = (await taskCommand("compile")).map((word) => word.startsWith("dist/") ? executable : word);
  // The real runtime of executables cannot be downloaded everywhere. Deno replaces it, since nothing is run here.
  await deno(args, { env: { DENORT_BIN: Deno.execPath() } });
  const written = Buffer.from(await Deno.readFile(executable));
  await Deno.remove(folder, { recursive: true });

  for (const role of ROLES.keys()) {
    const source = Buffer.from(await Deno.readFile(`${ROOT}examples/${role.replace(" ", "/")}.ts`));
    assert(written.includes(source), `The executable does not contain ${role}.`);
  }
  const metadata = written.toString("utf8", written.lastIndexOf('{"argv":[]'));
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
  await deno(["bundle", "--platform", "deno", "--output", bundle, "examples/main.ts"]);
  const cwd = await Deno.makeTempDir();
  const env = { DENO_DIR: `${folder}/cache`, NO_COLOR: "1" };
  const args = ["run", ...PERMISSIONS, "--unstable-kv", "--no-config", "--cached-only", bundle];

  const onRedis = hasRedisServer ? [["approach3", "--backend=redis"]] : [];
  const runs = [...[...EXAMPLES.keys()].map((name) => [name]), ...onRedis].map((words) => ({
    words,
    run: deno([...args, "example", ...words], { cwd, env }),
  }));
  for (const { words, run } of runs) {
    await t.step(`example ${words.join(" ")}: its worker, client and server`, async () => {
      assertStringIncludes(await run, `${words[0]} passed:`);
    });
  }
  assertEquals([...Deno.readDirSync(cwd)], []);

  await t.step("background_command server", async () => {
    await Deno.writeTextFile(`${cwd}/commands.json`, JSON.stringify({ greet: { command: "echo", args: ["hello"] } }));
    const transport = new StdioClientTransport({
      command: Deno.execPath(),
      args: [...args, "background_command", "server"],
      cwd,
      env,
    });
    await using connection = await connect(transport);
    const { structuredContent } = await call(connection.client, "run_command", { command: "greet" });
    assertEquals(structuredContent?.output, "hello\n");
  });
  await Deno.remove(cwd, { recursive: true });
  await Deno.remove(folder, { recursive: true });
});
