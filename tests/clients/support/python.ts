/**
 * The official clients in Python, and FastMCP, each in a virtual environment of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { canRun } from "../../../tools/redis_server.ts";
import type { Session, Target } from "./session.ts";

/** Which kind of client.py it is, and its package on PyPI. */
export const PYTHON_CLIENTS = {
  mcp1: "mcp==1.30.*",
  mcp2: "mcp==2.3.*",
  fastmcp: "fastmcp==4.2.*",
} as const;

const CHECK = "import sys, venv; sys.exit(sys.version_info < (3, 11))";

/** Why these clients cannot be tried here; `undefined` where they can. */
export const noPython: string | undefined = !Deno.env.has("TEST_CLIENTS")
  ? "set TEST_CLIENTS=1; it downloads clients with pip"
  : await canRun("python3", "-c", CHECK)
  ? undefined
  : "install Python 3.11";

/** Makes the environment of a client, in this folder. Resolves with its Python. */
export async function install(kind: keyof typeof PYTHON_CLIENTS, folder: string): Promise<string> {
  const python = `${folder}/${kind}/bin/python`;
  await succeed("python3", "-m", "venv", `${folder}/${kind}`);
  await succeed(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PYTHON_CLIENTS[kind]);
  return python;
}

/** Starts a client. */
export function open(python: string, kind: keyof typeof PYTHON_CLIENTS, { url, command, args }: Target): Session {
  const script = fileURLToPath(new URL("client.py", import.meta.url));
  const child = new Deno.Command(python, {
    args: [script, kind, ...url ? [url.href] : [command, ...args]],
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

async function succeed(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdout: "null" }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}
