/**
 * The processes of the benchmarks: each says a line when it is ready, and works until its stdin ends.
 *
 * @module
 */
import { fileURLToPath } from "node:url";

/** A running process. */
export interface Process {
  /** What it said when it was ready. */
  readonly first: string;
  /** Sends it a line, and returns what it says. */
  ask(line: string): Promise<string>;
}

/**
 * Starts a script of this folder, uses it once it is ready, and ends it. Rejects if it ends before that, so that nothing
 * waits in vain.
 */
export async function withProcess<T>(
  { script, args, flags = [], env = {} }: {
    readonly script: string;
    readonly args: readonly string[];
    readonly flags?: readonly string[];
    readonly env?: Record<string, string>;
  },
  use: (process: Process) => Promise<T>,
): Promise<T> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--unstable-kv", ...flags, path, ...args],
    env,
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const input = child.stdin.getWriter();
  const lost = child.status.then(({ code }) => {
    throw new Error(
      `The process of ${script} ended too early, with exit code ${code}. Its own error stands above.`,
    );
  });
  lost.catch(() => {}); // Once it is told to end, its end is no error.
  const line = async () => {
    const { done, value } = await lines.read();
    return done ? await lost : value.trim();
  };
  const ask = async (text: string) => {
    await input.write(new TextEncoder().encode(`${text}\n`));
    return await line();
  };
  try {
    return await Promise.race([use({ first: await line(), ask }), lost]);
  } finally {
    await input.close().catch(() => {}); // It may have ended.
    while (!(await lines.read()).done);
    await child.status;
  }
}
