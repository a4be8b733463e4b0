/**
 * A process of an example. It ends in every case: by us when it is disposed of, by itself when we are gone, for then
 * its stdin ends.
 *
 * @module
 */
import { END_WITH_STDIN } from "../shared/role.ts";

/** How long a process has to end when it is told to, in ms. */
const GRACE_MS = 5_000;

/** A running role. Dispose of it to end it. */
export class Child implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  #running = true;

  /** The exit code, once it has ended. */
  readonly ended: Promise<number>;

  constructor({ command, args }: { readonly command: string; readonly args: readonly string[] }) {
    this.#process = new Deno.Command(command, {
      args: [...args, END_WITH_STDIN],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.ended = this.#process.status.then(({ code }) => {
      this.#running = false;
      return code;
    });
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

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#running) this.#process.kill("SIGTERM");
    const timer = setTimeout(() => this.#process.kill("SIGKILL"), GRACE_MS);
    await this.ended;
    clearTimeout(timer);
    await this.#process.stdin.close().catch(() => {});
    if (!this.#process.stdout.locked) await this.#process.stdout.cancel();
  }
}
