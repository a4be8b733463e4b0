/**
 * What happened to the tasks that changed last, observed while the page is served and kept in memory: the record of a task
 * has only its present state.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import type { StepInfo } from "../../contract/operator.ts";
import { isNewer, remember } from "../../recent.ts";
import type { TaskInfo } from "../../task.ts";
import type { TimelineEntry } from "../wire.ts";
import { describeChange } from "./describe_change.ts";

const MAX_TASKS = 2_000;

/** How many entries a history has at most; older ones are dropped. */
const MAX_ENTRIES = 100;

/** What was observed of a task. */
export interface History {
  /** The record as it was seen last. */
  readonly last: TaskInfo;
  /** How many gaps there were before that. */
  readonly gaps: number;
  /** How many attempts had begun before it was seen first. */
  readonly missed: number;
  readonly entries: readonly TimelineEntry[];
  /** The steps that it had recorded when they were read last. The store deletes them at its end. */
  readonly steps: readonly StepInfo[];
}

/** The histories of the tasks that changed last. */
export class Histories {
  readonly #histories = new Map<string, History>();
  #gaps = 0;

  /** Takes in an event. The first of a task after a gap counts even if it is older: a failover has lost what came after it. */
  observe(event: TaskEvent): void {
    if (event.kind === "gap") return void this.#gaps++;
    const { task } = event;
    const before = this.#histories.get(task.id);
    if (before?.gaps === this.#gaps && !isNewer(task, before.last)) return;
    const added = describeChange(before?.last, task).map((text) => ({ at: task.updatedAt, text }));
    const history: History = {
      last: task,
      gaps: this.#gaps,
      missed: before?.missed ?? (task.revision === 1 ? 0 : task.attempt),
      entries: [...before?.entries ?? [], ...added].slice(-MAX_ENTRIES),
      steps: before?.steps ?? [],
    };
    remember(this.#histories, task.id, history, MAX_TASKS);
  }

  /** Takes in a task that was just read, with its recorded steps, which emit no events. */
  read(task: TaskInfo, steps: readonly StepInfo[]): void {
    this.observe({ kind: "change", task });
    const history = this.#histories.get(task.id);
    if (history) this.#histories.set(task.id, { ...history, steps });
  }

  /** What was observed of a task; `undefined` if nothing, or too long ago. */
  of(id: string): History | undefined {
    return this.#histories.get(id);
  }
}
