/**
 * The events of one connection, for the cases of the kit.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import type { TaskInfo } from "../task.ts";

interface Waiting {
  readonly task: TaskInfo;
  readonly matches: (task: TaskInfo) => boolean;
  readonly resolve: (task: TaskInfo) => void;
  readonly reject: (error: unknown) => void;
}

/** All events of one connection. Tasks are read only after a gap, because the feed must emit every change. */
export class EventLog implements Disposable {
  readonly #backend: Backend;
  readonly #events: TaskInfo[] = [];
  readonly #waiting = new Set<Waiting>();
  readonly #reads: Promise<void>[] = [];
  readonly #stop: () => void;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#stop = backend.watch((event) => event.kind === "change" ? this.#receive(event.task) : this.#readAgain());
  }

  of(id: string): readonly TaskInfo[] {
    return this.#events.filter((task) => task.id === id);
  }

  async until(task: TaskInfo, matches: (task: TaskInfo) => boolean): Promise<TaskInfo> {
    const known = this.of(task.id).find(matches);
    if (known) return known;
    const { promise, resolve, reject } = Promise.withResolvers<TaskInfo>();
    const waiting = { task, matches, resolve, reject };
    this.#waiting.add(waiting);
    try {
      return await promise;
    } finally {
      this.#waiting.delete(waiting);
      await Promise.all(this.#reads);
    }
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #receive(now: TaskInfo): void {
    this.#events.push(now);
    for (const { task, matches, resolve } of this.#waiting) {
      if (task.id === now.id && matches(now)) resolve(now);
    }
  }

  #readAgain(): void {
    for (const { task: { id, owner }, reject } of this.#waiting) {
      this.#reads.push(
        this.#backend.get(id, owner).then((now) => {
          if (now.revision > (this.of(id).at(-1)?.revision ?? 0)) this.#receive(now);
        }, reject),
      );
    }
  }
}
