/**
 * Writes to the audit log which questions nobody has answered in time. The store decides that without a request, and says so
 * in the task.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";
import type { OnError } from "../../log/on_error.ts";
import { remember } from "../../recent.ts";
import type { TaskInfo } from "../../task.ts";
import type { Guard } from "../guard.ts";

/** How many questions are remembered, so that later changes of their tasks cost no write. */
const REMEMBERED = 1_000;

export class ExpiredQuestions implements Disposable {
  readonly #keys: Backend["keys"];
  readonly #guard: Guard;
  readonly #onError: OnError;
  readonly #seen = new Map<string, true>();
  /** The events that are not written yet. */
  readonly #writing = new Set<Promise<void>>();
  readonly #stop: () => void;

  /** Begins to watch. */
  constructor(backend: Pick<Backend, "watch" | "keys">, guard: Guard, onError: OnError) {
    this.#keys = backend.keys;
    this.#guard = guard;
    this.#onError = onError;
    this.#stop = backend.watch((event) => {
      if (event.kind === "change") this.#receive(event.task);
    });
  }

  /** Resolves once every question that has expired so far is in the audit log. The backend has to stay open until then. */
  async written(): Promise<void> {
    while (this.#writing.size > 0) await Promise.all(this.#writing);
  }

  [Symbol.dispose](): void {
    this.#stop();
  }

  #receive(task: TaskInfo): void {
    if (task.expiredQuestions === undefined || !this.#guard.isAudited) return; // It is left to other servers.
    for (const question of task.expiredQuestions) {
      const key = `expired:${task.id}:${question}`;
      if (this.#seen.has(key)) continue;
      remember(this.#seen, key, true, REMEMBERED);
      const writing = this.#write(task, question, key).finally(() => this.#writing.delete(writing));
      this.#writing.add(writing);
    }
  }

  /** Of all servers with an audit log, the first to name the key writes the event. */
  async #write(task: TaskInfo, question: string, key: string): Promise<void> {
    try {
      if (!await this.#keys.writeKey(task.owner, key, undefined, task.id)) return;
    } catch (error) {
      // Rather twice than never.
      this.#onError(error, {
        where: "record in the audit log that a question has expired",
        job: task.job,
        task: task.id,
      });
    }
    this.#guard.expired(task, question);
  }
}
