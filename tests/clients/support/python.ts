/**
 * The official clients in Python, and FastMCP. What can be installed together is, in a folder of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { canRun } from "../../../tools/redis_server.ts";
import type { Session, Target } from "./session.ts";

/** Which kind of client.py it is. */
export type Kind = "mcp1" | "mcp2" | "fastmcp";

/** The packages of PyPI that are installed together, and the kinds of client.py that use them. */
export const PYTHON_CLIENTS: readonly { readonly packages: readonly string[]; readonly kinds: readonly Kind[] }[] = [
  { packages: ["mcp==1.30.*"], kinds: ["mcp1"] },
  { packages: ["mcp==2.3.*", "fastmcp==4.2.*"], kinds: ["mcp2", "fastmcp"] },
];

const CHECK = "import sys, pip; sys.exit(sys.version_info < (3, 11))";

/** Why these clients cannot be tried here; `undefined` where they can. */
export const noPython: string | undefined = !Deno.env.has("TEST_CLIENTS")
  ? "set TEST_CLIENTS=1; it downloads clients with pip"
  : await canRun("python3", "-c", CHECK)
  ? undefined
  : "install Python 3.11 and pip";

/** Installs packages into a folder. A virtual environment would cost as much again, and compiling what is never loaded, too. */
export async function install(packages: readonly string[], folder: string): Promise<void> {
  const quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore"];
  const args = ["-m", "pip", "install", ...quiet, "--no-compile", "--target", folder, ...packages];
  const { success, stderr } = await new Deno.Command("python3", { args, stdout: "null" }).output();
  if (!success) throw new Error(`python3 ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

/** Starts a client whose packages are in this folder. */
export function open(folder: string, kind: Kind, { url, command, args }: Target): Session {
  const script = fileURLToPath(new URL("client.py", import.meta.url));
  const child = new Deno.Command("python3", {
    args: [script, kind, ...url ? [url.href] : [command, ...args]],
    // What the first process compiles, the next ones find.
    env: { PYTHONPATH: folder, PYTHONDONTWRITEBYTECODE: "" },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const stdin = child.stdin.getWriter();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  return {
    async call(name, args) {
      await stdin.write(new TextEncoder().encode(`${JSON.stringify({ name, args })}\n`));
      while (!text.includes("\n")) {
        const { done, value } = await lines.read();
        if (done) throw new Error(`The Python client ${kind} has ended.`);
        text += value;
      }
      const [line = "", ...rest] = text.split("\n");
      text = rest.join("\n");
      const answer = JSON.parse(line);
      if (typeof answer === "string") throw new Error(answer);
      return answer ?? undefined;
    },
    async [Symbol.asyncDispose]() {
      await stdin.close();
      await child.status;
      await lines.cancel();
    },
  };
}
