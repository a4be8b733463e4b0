/**
 * The worker of a run, which the example may have killed and started again.
 *
 * @module
 */
import type { Child } from "./child.ts";

/** A worker process, or the one that replaced it. */
export class RestartableWorker implements AsyncDisposable {
  readonly #start: () => Child;
  #child: Child;
  readonly #failed = Promise.withResolvers<number>();

  /** Starts it. */
  constructor(start: () => Child) {
    this.#start = start;
    this.#child = this.#watched();
  }

  /** Resolves with the exit code of a worker that has ended though nobody has killed it. */
  get ended(): Promise<number> {
    return this.#failed.promise;
  }

  /** Kills it with SIGKILL, and starts another. */
  async killAndRestart(): Promise<void> {
    const killed = this.#child;
    this.#child = this.#watched();
    await killed.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }

  #watched(): Child {
    const child = this.#start();
    void child.ended.then((code) => this.#child === child && this.#failed.resolve(code));
    return child;
  }
}
