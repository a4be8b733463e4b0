/**
 * A process of an example. It always ends: when it is disposed of, or when its stdin ends because this process is gone.
 *
 * @module
 */
import { END_WITH_STDIN } from "../shared/role.ts";

/** How long a process has to end after SIGTERM, in ms. */
const GRACE_MS = 5_000;

/** A running role. Dispose of it to end it. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;

  /** The exit code, once it has ended. */
  readonly ended: Promise<number>;

  /** Starts it with `env` added to the current environment. `"piped"` makes its stdout readable through `lines`. */
  constructor(
    readonly role: string,
    { command, args }: { readonly command: string; readonly args: readonly string[] },
    env: Readonly<Record<string, string>>,
    readonly stdout: "piped" | "inherit",
  ) {
    this.#process = new Deno.Command(command, {
      args: [...args, END_WITH_STDIN],
      env,
      stdin: "piped",
      stdout,
      stderr: "inherit",
    }).spawn();
    this.ended = this.#process.status.then(({ code }) => code);
  }

  /** What it writes to stdout, line by line. */
  async *lines(): AsyncGenerator<string> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
  }

  /** Kills it with SIGKILL. */
  async kill(): Promise<void> {
    this.#send("SIGKILL");
    await this.ended;
    await this.#process.stdin.close().catch(() => {});
  }

  /** Ends it. Rejects if it had to be killed, because an example's process must end on SIGTERM. */
  async [Symbol.asyncDispose](): Promise<void> {
    let killed = false;
    this.#send("SIGTERM");
    const timer = setTimeout(() => {
      killed = true;
      this.#send("SIGKILL");
    }, GRACE_MS);
    await this.ended;
    clearTimeout(timer);
    await this.#process.stdin.close().catch(() => {});
    if (this.stdout === "piped" && !this.#process.stdout.locked) await this.#process.stdout.cancel();
    if (killed) throw new Error(`the ${this.role} did not end within ${GRACE_MS} ms and was killed.`);
  }

  #send(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has already ended.
    }
  }
}
