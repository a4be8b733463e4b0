/** How long it takes until another worker runs the tasks of a killed one, and how often that befalls each task. */
import type { Backend, TaskInfo, TaskStatus } from "../mod.ts";

/** What a task may be between the death of its worker and its next attempt. One that asks waits for its client. */
const INTERRUPTED: readonly TaskStatus[] = ["PENDING", "RETRYING"];

/** A task that has begun to run, and has neither ended nor asked since. */
interface Run extends Pick<TaskInfo, "owner" | "attempt" | "revision"> {
  interrupted?: boolean;
  killedAt?: number;
}

/** Listens to the feed of a run. */
export class RecoveryWatch implements Disposable {
  /** The longest recovery so far, in ms. */
  slowest = 0;
  readonly #backend: Pick<Backend, "get" | "watch">;
  readonly #running = new Map<string, Run>();
  readonly #kills = new Map<string, number>();
  readonly #stop: () => void;

  constructor(backend: Pick<Backend, "get" | "watch">) {
    this.#backend = backend;
    this.#stop = backend.watch((event) => {
      if (event.kind === "change") this.#see(event.task);
      else for (const [id, run] of this.#running) void this.#readAgain(id, run);
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

  #see({ id, owner, status, attempt, revision }: TaskInfo): void {
    const before = this.#running.get(id);
    if (status === "RUNNING") {
      if (before?.killedAt !== undefined && attempt > before.attempt) {
        this.slowest = Math.max(this.slowest, Date.now() - before.killedAt);
      }
      // In a new revision of the same attempt, its worker lived on, or the task was parked meanwhile.
      if (before?.revision !== revision) this.#running.set(id, { owner, attempt, revision });
    } else if (!INTERRUPTED.includes(status)) this.#running.delete(id);
    else if (before) before.interrupted = true;
  }

  /** Events may have been missed: a task that was parked or has ended meanwhile waits for no other worker. */
  async #readAgain(id: string, run: Run): Promise<void> {
    const task = await this.#backend.get(id, run.owner).catch(() => undefined); // The store is away again: another gap follows.
    if (task && this.#running.get(id) === run) this.#see(task); // An event may have been faster.
  }
}
