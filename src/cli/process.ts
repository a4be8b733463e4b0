/**
 * The command line in its process: its streams, its terminal, and the signals that end it.
 *
 * @module
 */
import { onEndSignal } from "../server/end_signals.ts";
import { runCli } from "./main.ts";
import { openPlace } from "./place.ts";

/**
 * Runs a command, such as `["tasks", "--kv", "jobs.kv"]`, with stdout for data and stderr for the person. Resolves with the
 * exit code: 0, 1 if the command failed, 2 if it was not understood. Ends commands that follow tasks on SIGINT, SIGTERM and
 * SIGHUP, and once nobody reads stdout.
 *
 * @example
 * ```ts
 * import { main } from "@mcp-jobs/mcp-jobs/cli";
 * console.assert(await main(["--help"]) === 0);
 * ```
 */
export async function main(args: readonly string[]): Promise<number> {
  const ended = new AbortController();
  const end = () => ended.abort();
  using _signals = onEndSignal(end);
  return await runCli(args, {
    terminal: terminalSize(),
    // A reader that is gone has seen enough, as `head` has.
    write: (text) => writeAll(Deno.stdout, text) || end(),
    say: (line) => void writeAll(Deno.stderr, `${line}\n`),
    signal: ended.signal,
    now: Date.now,
    open: (place, migrates) => openPlace(place, (name) => Deno.env.get(name), migrates),
  });
}

/** The size of the terminal. One without a size, such as that of a recorder, is treated like a file. */
function terminalSize(): { readonly columns: number; readonly rows: number } | undefined {
  const size = Deno.stdout.isTerminal() ? Deno.consoleSize() : undefined;
  return size && size.columns > 0 && size.rows > 0 ? size : undefined;
}

/** Writes a text. Returns whether there still is a reader. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): boolean {
  try {
    for (let bytes = new TextEncoder().encode(text); bytes.length > 0;) bytes = bytes.subarray(stream.writeSync(bytes));
    return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    return false;
  }
}
