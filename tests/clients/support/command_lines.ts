/**
 * Clients on the command line, of npm: each call is a process.
 *
 * @module
 */
import { isObject } from "../../../src/json.ts";
import { canRun } from "../../../tools/processes.ts";
import { commandOf } from "./npx.ts";
import type { Answer, Session, Target } from "./session.ts";

const MCPC = "@apify/mcpc@0.2.6";
const INSPECTOR = "@modelcontextprotocol/inspector@2.12.0";

/** Why these clients cannot be tried here; `undefined` where they can. */
export const noCommandLines: string | undefined = !Deno.env.has("TEST_CLIENTS")
  ? "set TEST_CLIENTS=1; it downloads clients with npx"
  : await canRun("npx", "--version")
  ? undefined
  : "install Node with npx";

/** Connects mcpc, which keeps its session in a process of its own. */
export async function mcpc({ url, command, args }: Target): Promise<Session> {
  const folder = await Deno.makeTempDir({ prefix: "mcp-jobs-mcpc-" });
  const env = { MCPC_HOME_DIR: folder };
  const program = await commandOf(MCPC, "mcpc");
  const run = (...args: readonly string[]) => json(program, ["--json", ...args], env);
  const config = `${folder}/servers.json`;
  await Deno.writeTextFile(config, JSON.stringify({ mcpServers: { table: { command, args } } }));
  await connect(() => run("connect", url?.href ?? `${config}:table`, "@table"));
  return {
    call: async (name, input) => dataOf(await run("@table", "tools-call", name, JSON.stringify(input))),
    async [Symbol.asyncDispose]() {
      await run("close", "@table");
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** mcpc gives the process of its session 5 s to start: on a busy machine it has to be told again. */
async function connect(once: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; attempt <= 20; attempt++) {
    try {
      return void await once();
    } catch (error) {
      if (attempt === 20 || !String(error).includes("Bridge failed to start")) throw error;
    }
  }
}

/**
 * The Inspector, over HTTP: over stdio each call would start a server of its own. In the modern era it declares the tasks
 * extension, and a call ends only when its task does.
 */
export function inspector(era: "legacy" | "modern"): (target: Target) => Promise<Session> {
  return async ({ url }) => {
    const program = await commandOf(INSPECTOR, "mcp-inspector");
    return {
      async call(name, input) {
        const how = ["--cli", "--format", "json", "--quiet", "--connect-timeout", "120000", "--protocol-era", era];
        const what = [
          "--method",
          "tools/call",
          "--tool-name",
          name,
          "--tool-args-json",
          JSON.stringify(input),
          url?.href ?? "",
        ];
        const { result } = await json(program, [...how, ...what]);
        return dataOf(result);
      },
      [Symbol.asyncDispose]: () => Promise.resolve(),
    };
  };
}

/** What a command prints. */
async function json(program: string, args: readonly string[], env: Record<string, string> = {}): Promise<Answer> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args: [...args], env, stdin: "null" }).output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (!success || !out) throw new Error(`${program} ${args.join(" ")} has failed: ${out}${errors}`);
  return JSON.parse(out);
}

function dataOf(result: unknown): Answer | undefined {
  return isObject(result) && isObject(result.structuredContent) ? result.structuredContent : undefined;
}
