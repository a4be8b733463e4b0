/**
 * Tells of the changes of each task in their order.
 *
 * @module
 */
import type { TaskEvent } from "../../../backend.ts";
import { orderOf, remember } from "../../../recent.ts";
import { Hub } from "./hub.ts";

/** For how many tasks the newest state is remembered. */
const REMEMBERED = 10_000;

/**
 * Leaves out a change that comes after a later one of its task, or again. A worker may take a task of another process before
 * the event of that process has been read, and the answers to two statements of this process may be handled in another order
 * than the database has carried them out.
 */
export class OrderedHub extends Hub {
  /** Which state of each task was told last. */
  readonly #told = new Map<string, number>();

  /** As that of `Hub`, unless the change is an older one. */
  override event(event: TaskEvent): void {
    if (event.kind === "change") {
      const [{ id }, order] = [event.task, orderOf(event.task)];
      if (order <= (this.#told.get(id) ?? 0)) return;
      remember(this.#told, id, order, REMEMBERED);
    }
    super.event(event);
  }

  /** As that of `Hub`. What a failover has left of tasks is told, although later states were. */
  override restarted(): void {
    this.#told.clear();
    super.restarted();
  }
}
