/**
 * The worker of a server that runs its jobs itself.
 *
 * @module
 */
import type { Job } from "../job.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { startWorker, type Worker } from "../worker.ts";
import type { RunOptions, ServerOptions } from "./options.ts";

/** How long calls of a departed stdio client may take to cancel their work before the worker stops, in ms. */
const CALLS_MS = 1_000;

/** At most one worker, which starts once its server serves. */
export class OwnWorker {
  #worker: Worker | undefined;
  #closing: Promise<void> | undefined;

  /**
   * Starts the worker, if there is to be one; it claims tasks once `after` resolves. Resolves when it is ready, which takes a
   * connected store.
   */
  async start(
    { backend, onError }: Pick<ServerOptions, "backend" | "onError">,
    jobs: readonly Job[],
    { worker }: Pick<RunOptions, "worker">,
    after?: Promise<void>,
  ): Promise<void> {
    if (worker === undefined) return;
    this.#worker = startWorker(backend, jobs, { ...worker, onError: worker.onError ?? onError }, after);
    await this.#worker.ready;
  }

  /** Closes the worker. `tasks` has the calls that may still cancel their work. */
  close(tasks: Tasks, options: Pick<RunOptions, "transport" | "worker">): Promise<void> {
    if (this.#worker === undefined) return Promise.resolve();
    return this.#closing ??= close(this.#worker, tasks, options);
  }
}

async function close(
  worker: Worker,
  tasks: Tasks,
  { transport, worker: { grace = 0 } = {} }: Pick<RunOptions, "transport" | "worker">,
): Promise<void> {
  if (transport !== "http") {
    // The calls of a stdio client that is gone cancel their tasks. If the worker handed these back first, nobody could
    // confirm that the work has stopped. So for now it only claims no new tasks.
    worker.close(Math.max(grace, CALLS_MS)).catch(() => {}); // The last line rejects with the same error.
    await tasks.allClosed(CALLS_MS);
  }
  await worker.close(grace);
}
