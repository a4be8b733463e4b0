/**
 * What ends a run early: a signal, or the time limit.
 *
 * @module
 */

/** Why a run ended early, and the exit code for it. */
export class Aborted extends Error {
  constructor(message: string, readonly exitCode: number = 1) {
    super(message);
  }
}

/** Listens to the signals that end a process, until it is disposed of. */
export class Interruption implements Disposable {
  readonly #controller = new AbortController();
  readonly #interrupt = () => this.end(new Aborted("it was interrupted.", 130));
  readonly #terminate = () => this.end(new Aborted("it was terminated.", 143));

  /** Aborts with an `Aborted` when the run must end. */
  readonly signal: AbortSignal = this.#controller.signal;

  constructor() {
    Deno.addSignalListener("SIGINT", this.#interrupt);
    Deno.addSignalListener("SIGTERM", this.#terminate);
  }

  /** Ends the run. */
  end(reason: Aborted): void {
    this.#controller.abort(reason);
  }

  /** Rejects when the run must end. */
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
