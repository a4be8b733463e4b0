// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/client/stdio"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { readAllowList } from "../../examples/background_command/config.ts";
import { Output } from "../../examples/background_command/output.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertStringIncludes } from "../../tools/std.ts";
import { call, CallToolResultSchema, connect, type Connection, start, textOf } from "../interop/support/client.ts";
import { isRunning, until } from "../support/processes.ts";
import { TempFolder } from "../support/temp_folder.ts";

const SERVER = fileURLToPath(new URL("../../examples/background_command/server.ts", import.meta.url));

/** Ignores SIGTERM, writes its process id to a file, and runs until it is killed. */
const STUBBORN = `sh -c 'trap "" TERM; echo $$ > pid; echo started; while :; do sleep 0.02; done'`;

/** Commands that write or await a file to mark where they are, so that no test has to guess how long something takes. */
const COMMANDS = {
  greet: { command: "sh", args: ["-c", "echo hello; echo warning >&2"] },
  fail: { command: "sh", args: ["-c", "echo broken; exit 3"] },
  steps: { command: "sh", args: ["-c", "echo step 1 of 2; until [ -e go ]; do sleep 0.02; done; echo step 2 of 2"] },
  stubborn: { command: "sh", args: ["-c", `${STUBBORN} & wait`] },
  leftover: { command: "sh", args: ["-c", "sleep 600 & echo $! > pid"] },
  left_group: { command: "bash", args: ["-c", "set -m; sleep 600 & echo $! > pid"] },
  left_session: {
    command: "sh",
    args: ["-c", "setsid sh -c 'echo $$ > pid; exec sleep 600' & until [ -e pid ]; do :; done"],
  },
  slow: { command: "sh", args: ["-c", "echo $$ > pid; echo thinking; exec sleep 600"], timeout_seconds: 0.5 },
  missing: { command: "no-such-program" },
  environment: { command: "env", env: ["MCP_JOBS_TEST_ALLOWED", "MCP_JOBS_TEST_MISSING"] },
  here: { command: "./here.sh" },
};

/** What the server of all cases has in its environment, besides that of this process. */
const ENVIRONMENT = { MCP_JOBS_TEST_ALLOWED: "yes", MCP_JOBS_TEST_SECRET: "no" };

interface Bench extends Connection {
  readonly folder: string;
}

async function serverIn(folder: string, commands: unknown): Promise<string[]> {
  await Deno.writeTextFile(`${folder}/commands.json`, JSON.stringify(commands));
  return [
    "run",
    "--allow-read",
    `--allow-write=${folder}/data`,
    "--allow-env",
    "--allow-run",
    "--unstable-kv",
    SERVER,
    `--config=${folder}/commands.json`,
  ];
}

/** A client with its own server over stdio, which has read these commands. */
async function openIn(folder: string, commands: unknown, ...options: readonly string[]): Promise<Connection> {
  const args = [...await serverIn(folder, commands), ...options];
  return await connect(new StdioClientTransport({ command: Deno.execPath(), args }));
}

/** The same in a new folder, for all cases. */
async function open(): Promise<Bench> {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/here.sh`, '#!/bin/sh\necho "$0"\n', { mode: 0o755 });
  const args = await serverIn(folder, COMMANDS);
  const env = { ...Deno.env.toObject(), ...ENVIRONMENT };
  const connection = await connect(new StdioClientTransport({ command: Deno.execPath(), args, env }));
  return {
    ...connection,
    folder,
    [Symbol.asyncDispose]: async () => {
      await connection[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** The process id that a command has written, in a file that is then deleted. */
async function pidIn(folder: string): Promise<number> {
  const read = () => Deno.readTextFile(`${folder}/pid`).catch(() => "");
  await until(async () => (await read()).endsWith("\n"), "the command has written its process id");
  const pid = Number(await read());
  await Deno.remove(`${folder}/pid`);
  return pid;
}

/** What a server does with the commands above. They run one after another on one server, because a start takes longer. */
const CASES: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async "the result of a command is its exit code and output"(bench) {
    const { structuredContent } = await call(bench.client, "run_command", { command: "greet" });
    assertEquals(structuredContent?.exit_code, 0);
    assertEquals(structuredContent?.truncated, false);
    assertEquals(String(structuredContent?.output).trim().split("\n").sort(), ["hello", "warning"]);
  },

  async "a command that fails is a result with its exit code, not an error"(bench) {
    const result = await call(bench.client, "run_command", { command: "fail" });
    assert(!result.isError);
    assertEquals(result.structuredContent, { command: "fail", exit_code: 3, output: "broken\n", truncated: false });
  },

  async "the last line of output is pushed as the status message while the command runs"(bench) {
    const { task } = await start(bench.client, "run_command", { command: "steps" });
    const note = await bench.note(({ params }) => params?.statusMessage === "step 1 of 2");
    assertEquals(note.params?.taskId, task.taskId);
    assertEquals(note.params?.status, "working");
    await Deno.writeTextFile(`${bench.folder}/go`, "");
    await bench.note(({ params }) => params?.status === "completed");
  },

  async "cancelling a command kills its whole process group, including a grandchild that ignores SIGTERM"(bench) {
    const { task } = await start(bench.client, "run_command", { command: "stubborn" });
    const grandchild = await pidIn(bench.folder);
    assert(await isRunning(grandchild));
    const cancelled = await bench.client.experimental.tasks.cancelTask(task.taskId);
    assertEquals(cancelled.status, "cancelled");
    // A cancellation does not wait for its confirmation for long.
    assertMatch(String(cancelled.statusMessage), /its work has stopped|stop requested/);
    await until(async () => !await isRunning(grandchild), "the grandchild is gone");
  },

  async "background processes of a command end with it"(bench) {
    const { structuredContent } = await call(bench.client, "run_command", { command: "leftover" });
    assertEquals(structuredContent?.exit_code, 0);
    const child = await pidIn(bench.folder);
    await until(async () => !await isRunning(child), "the background process is gone");
  },

  async "processes that have left a command's process group or session end with the command"(bench) {
    for (const command of ["left_group", "left_session"]) {
      const { structuredContent } = await call(bench.client, "run_command", { command });
      assertEquals([command, structuredContent?.exit_code], [command, 0]);
      const child = await pidIn(bench.folder);
      await until(async () => !await isRunning(child), "the process that left is gone");
    }
  },

  async "a command that takes too long is stopped, and the error says so with its output"(bench) {
    const stopped = "Failed: slow took longer than 0.5 s and was stopped.";
    let result = await call(bench.client, "run_command", { command: "slow" });
    // On a busy machine it may be stopped before it has begun.
    for (let again = 0; again < 9 && textOf(result) === stopped; again++) {
      result = await call(bench.client, "run_command", { command: "slow" });
    }
    assertEquals([result.isError, textOf(result)], [true, `${stopped} thinking`]);
    const child = await pidIn(bench.folder);
    await until(async () => !await isRunning(child), "the command is gone");
  },

  async "a missing program and an unlisted command are errors that name it"(bench) {
    const missing = await call(bench.client, "run_command", { command: "missing" });
    assertEquals(missing.isError, true);
    assertStringIncludes(
      textOf(missing),
      "Cannot run missing: the program no-such-program did not exist when the server started.",
    );
    const unlisted = await call(bench.client, "run_command", { command: "rm" });
    assertEquals(unlisted.isError, true);
    assertStringIncludes(textOf(unlisted), "command: ");
  },

  async "a command gets only its allowed environment variables and a few that every program needs"(bench) {
    const { structuredContent } = await call(bench.client, "run_command", { command: "environment" });
    const names = String(structuredContent?.output).trim().split("\n").map((line) => line.split("=")[0]);
    const usual = ["HOME", "LANG", "PATH", "TMPDIR", "TZ"].filter((name) => Deno.env.has(name));
    assertEquals(names.sort(), [...usual, "MCP_JOBS_COMMAND_RUN", "MCP_JOBS_TEST_ALLOWED"].sort());
  },

  async "a program is found once, when the server starts, and run by its absolute path"(bench) {
    const { structuredContent } = await call(bench.client, "run_command", { command: "here" });
    assertEquals(structuredContent?.output, `${bench.folder}/here.sh\n`);
  },
};

Deno.test("the commands of a list run, report their progress, and end with all processes that they have started", async (t) => {
  await using bench = await open();
  for (const [name, run] of Object.entries(CASES)) await t.step(name, () => run(bench));
});

Deno.test("a working folder outside the allowed one is refused, even through a link", async () => {
  await using folder = await TempFolder.make();
  const refused = async (cwd: string, why: string) => {
    await serverIn(folder.path, { list: { command: "ls", cwd } });
    const error = await assertRejects(
      () => readAllowList(`${folder.path}/commands.json`, folder.path),
      Error,
      "list.cwd: ",
    );
    assertStringIncludes(error.message, why);
  };
  await refused("..", "is outside");
  await refused("missing", "Cannot find the folder");
  await Deno.symlink("/", `${folder.path}/link`);
  await refused("link", "is outside");
  {
    await Deno.mkdir(`${folder.path}/work`);
    await using connection = await openIn(folder.path, { list: { command: "ls", cwd: "work" } });
    await Deno.remove(`${folder.path}/work`);
    await Deno.symlink("/", `${folder.path}/work`);
    const result = await call(connection.client, "run_command", { command: "list" });
    assertEquals(result.isError, true);
    assertStringIncludes(textOf(result), "is outside");
  }
  {
    await using connection = await openIn(
      folder.path,
      { list: { command: "pwd", cwd: ".." } },
      `--root=${folder.path}/..`,
    );
    const { structuredContent } = await call(connection.client, "run_command", { command: "list" });
    assertEquals(structuredContent?.output, `${dirname(await Deno.realPath(folder.path))}\n`);
  }
});

Deno.test("a client that goes away stops what its server runs", async () => {
  await using folder = await TempFolder.make();
  const args = await serverIn(folder.path, COMMANDS);
  const server = new Deno.Command(Deno.execPath(), { args, stdin: "piped", stdout: "null" }).spawn();
  const stdin = server.stdin.getWriter();
  const say = (message: unknown) => stdin.write(new TextEncoder().encode(`${JSON.stringify(message)}\n`));
  const clientInfo = { name: "raw", version: "1" };
  await say({
    jsonrpc: "2.0",
    id: 1,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo },
  });
  await say({ jsonrpc: "2.0", method: "notifications/initialized" });
  const params = { name: "run_command", arguments: { command: "stubborn" }, task: {} };
  await say({ jsonrpc: "2.0", id: 2, method: "tools/call", params });
  const grandchild = await pidIn(folder.path);
  await stdin.close();
  assertEquals((await server.status).code, 0);
  await until(async () => !await isRunning(grandchild), "the grandchild is gone");
});

/** So many calls that another server, if it could run them, would almost surely claim one. */
const MANY = 8;

Deno.test("two servers in one folder each run only the commands of the list that they have read", async () => {
  await using folder = await TempFolder.make();
  const echo = (text: string) => ({ command: "echo", args: [text] });
  {
    await using older = await openIn(folder.path, { same: echo("old"), removed: echo("removed") });
    await using newer = await openIn(folder.path, { same: echo("new"), added: echo("added") });
    const outputs = async ({ client }: Connection, command: string) => {
      const calls = Array.from({ length: MANY }, () => call(client, "run_command", { command }));
      const results = await Promise.all(calls);
      return new Set(results.map((result) => result.structuredContent?.output ?? textOf(result)));
    };
    assertEquals(await outputs(newer, "same"), new Set(["new\n"]));
    assertEquals(await outputs(newer, "added"), new Set(["added\n"]));
    assertEquals(await outputs(older, "same"), new Set(["old\n"]));
    assertEquals(await outputs(older, "removed"), new Set(["removed\n"]));
    assertStringIncludes(textOf(await call(newer.client, "run_command", { command: "removed" })), "command: ");
    // A server can read tasks that another one started from a different list.
    const { task } = await start(older.client, "run_command", { command: "removed" });
    const result = await newer.client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    assertStringIncludes(textOf(result), '"output":"removed\\n"');
  }
});

Deno.test("servers with the same list, in any order, share their tasks: list, read and run them", async () => {
  await using folder = await TempFolder.make();
  {
    const first = await openIn(folder.path, COMMANDS);
    await using second = await openIn(folder.path, Object.fromEntries(Object.entries(COMMANDS).reverse()));
    const { task } = await start(first.client, "run_command", { command: "fail" });
    const done = await first.note(({ params }) => params?.taskId === task.taskId && params?.status === "completed");
    assertEquals(done.params?.status, "completed");
    const { tasks } = await second.client.experimental.tasks.listTasks();
    assertEquals(tasks.map(({ taskId, status }) => [taskId, status]), [[task.taskId, "completed"]]);
    const result = await second.client.experimental.tasks.getTaskResult(task.taskId, CallToolResultSchema);
    assertEquals(result.structuredContent?.exit_code, 3);
    const { resourceTemplates } = await second.client.listResourceTemplates();
    const uri = String(resourceTemplates[0]?.uriTemplate).replace("{task_id}", task.taskId);
    assertEquals(result._meta?.resourceUri, uri);
    const { contents } = await second.client.readResource({ uri });
    const [content] = contents;
    assertEquals(JSON.parse(content && "text" in content ? content.text : "null"), result.structuredContent);

    // Six run at once, more than one server takes. All of them end, although the first server is closed.
    const begun = await Promise.all(
      Array.from({ length: 6 }, () => start(first.client, "run_command", { command: "steps" })),
    );
    await first[Symbol.asyncDispose]();
    await Deno.writeTextFile(`${folder.path}/go`, "");
    for (const { task } of begun) {
      const { structuredContent } = await second.client.experimental.tasks
        .getTaskResult(task.taskId, CallToolResultSchema);
      assertEquals(structuredContent?.exit_code, 0);
    }
  }
});

Deno.test("a task whose list no server has waits, says so, and runs with the next server that has it", async () => {
  await using folder = await TempFolder.make();
  const wait = { command: "sh", args: ["-c", "echo $$ > pid; until [ -e go ]; do sleep 0.02; done"] };
  let id: string;
  {
    await using older = await openIn(folder.path, { wait });
    ({ task: { taskId: id } } = await start(older.client, "run_command", { command: "wait" }));
    await pidIn(folder.path);
  }
  {
    await using newer = await openIn(folder.path, { wait: COMMANDS.greet });
    const message = async () => (await newer.client.experimental.tasks.getTask(id)).statusMessage ?? "";
    await until(
      async () => (await message()).includes("no worker for run_command"),
      "the message says that no worker is running",
    );
    await assertRejects(() => newer.client.experimental.tasks.cancelTask(id), Error, "does not offer run_command");
  }
  {
    await using older = await openIn(folder.path, { wait });
    await Deno.writeTextFile(`${folder.path}/go`, "");
    const { structuredContent } = await older.client.experimental.tasks.getTaskResult(id, CallToolResultSchema);
    assertEquals(structuredContent?.exit_code, 0);
  }
});

Deno.test("a copy of the folder works as its README and its .mcp.json say", async () => {
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const copy = await Deno.makeTempDir();
  const from = `${root}examples/background_command`;
  for await (const { name, isFile } of Deno.readDir(from)) {
    if (isFile) await Deno.copyFile(`${from}/${name}`, `${copy}/${name}`);
  }
  const [, config = ""] =
    (await Deno.readTextFile(`${copy}/README.md`)).match(/```json\n(\{\n {2}"imports"[\s\S]*?)```/) ?? [];
  await Deno.writeTextFile(
    `${copy}/deno.json`,
    config.replace("/path/to/mcp-jobs/", new URL("../../", import.meta.url).href),
  );
  // The same versions, since nothing can be downloaded here: Deno drops lock file entries that deno.json does not name.
  const lock = JSON.parse(await Deno.readTextFile(`${root}deno.lock`));
  const imports: string[] = Object.values(JSON.parse(config).imports);
  lock.workspace.dependencies = imports.filter((specifier) => specifier.startsWith("npm:"));
  await Deno.writeTextFile(`${copy}/deno.lock`, JSON.stringify(lock));
  await Deno.writeTextFile(`${copy}/commands.json`, JSON.stringify({ greet: COMMANDS.greet }));
  const { command, args } = JSON.parse(await Deno.readTextFile(`${copy}/.mcp.json`)).mcpServers.background_command;
  assertEquals([command, args[0]], ["deno", "run"]);
  const offline = args.toSpliced(1, 0, "--cached-only");
  const transport = new StdioClientTransport({ command: Deno.execPath(), args: offline, cwd: copy });
  {
    await using connection = await connect(transport);
    const { structuredContent } = await call(connection.client, "run_command", { command: "greet" });
    assertEquals(structuredContent?.exit_code, 0);
  }
  await Deno.remove(copy, { recursive: true });
});

Deno.test("an invalid list of commands ends the server with an error that names the field", async () => {
  await using folder = await TempFolder.make();
  const args = await serverIn(folder.path, { build: { command: "make", args: "all" } });
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "build.args");
});

Deno.test("an option that the server does not know ends it with an error that names the option", async () => {
  await using folder = await TempFolder.make();
  const args = [...await serverIn(folder.path, { greet: { command: "echo" } }), "--rot=/"];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, stdin: "null" }).output();
  assertEquals(code, 1);
  assertStringIncludes(new TextDecoder().decode(stderr), "'--rot'");
});

Deno.test("the end of a long output is kept, and a progress display yields its newest line", () => {
  const output = new Output(10);
  for (const text of ["0123456789", "abcdefghij", "\u001b[32mKLMNO\r"]) output.add(text);
  assertEquals(output.lastLine.endsWith("KLMNO"), true);
  assertEquals(output.tail.truncated, true);
  assertEquals(output.tail.output.endsWith("KLMNO\r"), true);
  assertEquals(output.tail.output.length <= 10, true);
});
