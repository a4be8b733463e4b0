/**
 * Runs commands of an allow-list as background tasks: builds, test runs, long `git` or `du` calls. One process is server and
 * worker. A command can outlast the client's time limit, and a cancellation stops it with all of its processes.
 *
 * Options: `--config=<file>`, default `commands.json` in the working directory; `--root=<folder>`, in which all commands
 * must run, default the folder of that file; `--kv=<file>`, default `data/commands.kv` beside it.
 */
import { AsyncToolServer, DenoKvBackend, OperationResourceStrategy } from "@mcp-jobs/mcp-jobs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { readAllowList } from "./config.ts";
import { runCommand, TOOL_NAME } from "./job.ts";

const { values } = parseArgs({
  args: Deno.args,
  allowPositionals: true, // In the executable of all examples: which example this is, and its role.
  options: { config: { type: "string", default: "commands.json" }, root: { type: "string" }, kv: { type: "string" } },
});
const config = resolve(values.config);
const allowed = await readAllowList(config, resolve(values.root ?? dirname(config)));

const server = new AsyncToolServer({
  name: "background_command",
  version: "1.0.0",
  title: "Background commands",
  instructions:
    "Runs allowed commands as tasks that may take minutes. Start one and continue with other work; its last line of output is its status.",
  backend: await DenoKvBackend.open({ path: values.kv ?? join(dirname(config), "data", "commands.kv") }),
  strategy: new OperationResourceStrategy({ notifications: true }),
});
server.registerAsyncTool(runCommand(allowed), { name: TOOL_NAME, cancel: true });
await server.run({ worker: { concurrency: 4 } });
