/**
 * What ends a run before its time: a signal, or the time limit.
 *
 * @module
 */

/** Why a run was ended too early, and the exit code that says so. */
export class Aborted extends Error {
  constructor(message: string, readonly exitCode: number = 1) {
    super(message);
  }
}

/** Listens to the signals that end a process. Dispose of it to listen no more. */
export class Ending implements Disposable {
  readonly #controller = new AbortController();
  readonly #interrupt = () => this.end(new Aborted("it was interrupted.", 130));
  readonly #terminate = () => this.end(new Aborted("it was told to end.", 143));

  /** Aborts when the run is to end, with an `Aborted`. */
  readonly signal: AbortSignal = this.#controller.signal;

  constructor() {
    Deno.addSignalListener("SIGINT", this.#interrupt);
    Deno.addSignalListener("SIGTERM", this.#terminate);
  }

  /** Ends the run. */
  end(reason: Aborted): void {
    this.#controller.abort(reason);
  }

  /** Rejects when the run is to end. */
  get aborted(): Promise<never> {
    return new Promise((_, reject) => {
      if (this.signal.aborted) reject(this.signal.reason);
      else this.signal.addEventListener("abort", () => reject(this.signal.reason), { once: true });
    });
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#interrupt);
    Deno.removeSignalListener("SIGTERM", this.#terminate);
  }
}
