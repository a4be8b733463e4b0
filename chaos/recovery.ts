/** How long it takes until another worker runs the tasks of a killed one, and how often that befalls each task. */
import type { Backend, TaskStatus } from "../mod.ts";

/** What a task may be between the death of its worker and its next attempt. One that asks waits for its client. */
const INTERRUPTED: readonly TaskStatus[] = ["PENDING", "RETRYING"];

/** Listens to the feed of a run. */
export class RecoveryWatch implements Disposable {
  /** The longest recovery so far, in ms. */
  slowest = 0;
  readonly #running = new Map<string, { attempt: number; interrupted?: boolean; killedAt?: number }>();
  readonly #kills = new Map<string, number>();
  readonly #stop: () => void;

  constructor(backend: Backend) {
    this.#stop = backend.watch((event) => {
      if (event.kind !== "change") return;
      const { id, status, attempt } = event.task;
      const before = this.#running.get(id);
      if (status === "RUNNING") {
        if (before?.killedAt !== undefined && attempt > before.attempt) {
          this.slowest = Math.max(this.slowest, Date.now() - before.killedAt);
        }
        if (before?.attempt !== attempt) this.#running.set(id, { attempt });
      } else if (!INTERRUPTED.includes(status)) this.#running.delete(id);
      else if (before) before.interrupted = true;
    });
  }

  /** A worker was killed: each task that runs now may have been one of its tasks. */
  killed(): void {
    for (const [id, task] of this.#running) {
      if (task.killedAt === undefined && !task.interrupted) this.#kills.set(id, this.killsOf(id) + 1);
      task.killedAt ??= Date.now();
    }
  }

  /** In how many of its attempts a task ran while a worker was killed. */
  killsOf(id: string): number {
    return this.#kills.get(id) ?? 0;
  }

  [Symbol.dispose](): void {
    this.#stop();
  }
}
