/**
 * A server on stdio: as a process, or in the test's own one, which costs it neither a start nor loaded modules.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { AsyncToolServer, WorkerOptions } from "../../../mod.ts";
import { pause } from "../../../src/waiting.ts";

/** What a test needs of a server on stdio; a child process has it. */
export interface Program {
  readonly stdin: WritableStream<Uint8Array>;
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly status: Promise<Deno.CommandStatus>;
  kill(signal: Deno.Signal): void;
}

/** Starts a script with these arguments as a process; `env` is added to its environment. */
export function startProcess(script: URL, args: readonly string[] = [], env: Record<string, string> = {}): Program {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", fileURLToPath(script), ...args],
    env,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

/** The server that took stdin last; the next one waits for it. */
let taken = Promise.resolve();

/** Its own worker, if it is to have one. */
export interface InPlaceOptions {
  readonly worker?: WorkerOptions;
}

/** Runs a server, with a worker of its own or without, on streams of this process, as if they were stdin and stdout. */
export function runInPlace(
  server: AsyncToolServer,
  options: InPlaceOptions = { worker: { concurrency: 16 } },
): Program {
  const input = new TransformStream<Uint8Array, Uint8Array>({
    // As from another process, what is written arrives in a later turn of the event loop.
    transform: async (chunk, controller) => {
      await pause(0);
      controller.enqueue(chunk);
    },
  });
  let output: ReadableStreamDefaultController<Uint8Array> | undefined;
  const stdout = new ReadableStream<Uint8Array>({ start: (controller) => void (output = controller) });
  const writable = new WritableStream<Uint8Array>({ write: (chunk) => output?.enqueue(chunk) });
  const { promise: status, resolve, reject } = Promise.withResolvers<Deno.CommandStatus>();
  const end = new AbortController();
  const run = async (): Promise<void> => {
    await server.run({ ...options, signal: end.signal }).finally(() => output?.close());
    output = undefined;
    resolve({ success: true, code: 0, signal: null });
  };
  taken = taken.then(() => lendStream(input.readable, writable, () => run().catch(reject)));
  return { stdin: input.writable, stdout, stderr: new Blob().stream(), status, kill: () => end.abort() };
}

/** Puts these streams in the place of stdin and stdout until what is started has taken them, or has ended. */
async function lendStream(
  readable: ReadableStream<Uint8Array>,
  writable: WritableStream<Uint8Array>,
  start: () => Promise<void>,
): Promise<void> {
  const { stdin, stdout } = Deno;
  const { log, info, debug } = console;
  const { promise, resolve } = Promise.withResolvers<void>();
  const take = () => {
    resolve();
    return writable;
  };
  Object.assign(Deno, { stdin: { readable }, stdout: Object.defineProperty({}, "writable", { get: take }) });
  await Promise.race([promise, start()]);
  Object.assign(Deno, { stdin, stdout });
  // A server on stdio sends what others log to stderr.
  Object.assign(console, { log, info, debug });
}
