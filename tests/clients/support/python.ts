/**
 * The official clients in Python, and FastMCP. What can be installed together is, in a folder of its own.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { lines } from "../../../chaos/lines.ts";
import { canRun } from "../../../tools/processes.ts";
import type { Answer, Session, Target } from "./session.ts";

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

const QUIET = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile"];

/**
 * Installs packages into a folder, without compiling what is never loaded. It is uv that installs them, with a fifth of the
 * work of pip, which fetches uv; and pip where uv cannot, because it does not know pip's settings.
 */
export async function install(packages: readonly string[], folder: string): Promise<void> {
  const tool = `${folder}/tool`;
  const target = ["--target", `${folder}/packages`, ...packages];
  try {
    await run("python3", "-m", "pip", "install", ...QUIET, "--no-deps", "--no-warn-conflicts", "--target", tool, "uv");
    await run(`${tool}/bin/uv`, "pip", "install", "--quiet", "--no-cache", "--python", "python3", ...target);
  } catch {
    await run("python3", "-m", "pip", "install", ...QUIET, ...target); // Its error says what is amiss.
  }
}

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args], stdout: "null" }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed: ${new TextDecoder().decode(stderr)}`);
}

/** A process in which clients connect one after the other. */
export class PythonClients implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncGenerator<string>;

  /** The packages were installed into this folder. */
  constructor(folder: string) {
    this.#child = new Deno.Command("python3", {
      args: [fileURLToPath(new URL("client.py", import.meta.url))],
      env: { PYTHONPATH: `${folder}/packages`, PYTHONDONTWRITEBYTECODE: "1" },
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    this.#lines = lines(this.#child.stdout);
  }

  /** Connects a client, whose calls have a time limit, in s. */
  async connect(kind: Kind, { url, command, args }: Target, limit = 2): Promise<Session> {
    await this.#send([kind, limit, ...url ? [url.href] : [command, ...args]]);
    return {
      call: async (name, args) => {
        await this.#send({ name, args });
        const answer = await this.#receive();
        if (typeof answer === "string") throw new Error(answer);
        return answer ?? undefined;
      },
      [Symbol.asyncDispose]: async () => {
        await this.#send(null);
        await this.#receive();
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#child.status;
    await this.#lines.return(undefined);
  }

  async #send(line: unknown): Promise<void> {
    await this.#input.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
  }

  async #receive(): Promise<Answer | string | null> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error("The Python client has ended; its error stands above.");
    return JSON.parse(value);
  }
}
