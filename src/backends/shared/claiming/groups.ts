/**
 * Workers of one process with the same jobs: tasks that may be ready need only one of them to search. The next one searches
 * once that one's slots are full.
 *
 * @module
 */
import type { WorkOptions } from "../../../backend.ts";
import type { Runner } from "../running/runner.ts";

/** A worker, as its group sees it. */
type Member = Pick<Runner, "isFree" | "wake">;

/** Workers with the same jobs. */
export class WorkerGroup {
  readonly #members = new Set<Member>();
  #waking = false;

  add(member: Member): void {
    this.#members.add(member);
  }

  remove(member: Member): void {
    this.#members.delete(member);
  }

  /** Tasks may be ready: wakes one that has a free slot, or all if none has. */
  wake(): void {
    if (!this.#waking) queueMicrotask(() => this.#wake()); // Each worker calls it for the same event.
    this.#waking = true;
  }

  #wake(): void {
    this.#waking = false;
    const free = this.#members.values().find(({ isFree }) => isFree);
    if (free) free.wake();
    else this.#members.forEach((member) => member.wake()); // Each searches once it has a free slot.
  }
}

export class WorkerGroups {
  readonly #groups = new Map<string, WorkerGroup>();

  of({ jobs, limits }: Pick<WorkOptions, "jobs" | "limits">): WorkerGroup {
    const key = JSON.stringify([[...jobs].sort(), limits]);
    const group = this.#groups.get(key) ?? new WorkerGroup();
    this.#groups.set(key, group);
    return group;
  }
}
