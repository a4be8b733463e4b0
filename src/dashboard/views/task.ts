/**
 * One task.
 *
 * @module
 */
import type { Backend, TaskEvent } from "../../backend.ts";
import type { LogLine } from "../../contract/log.ts";
import type { Operator } from "../../contract/operator.ts";
import { TaskNotFound } from "../../errors.ts";
import type { Histories } from "../history/histories.ts";
import { timelineOf } from "../history/timeline.ts";
import type { TaskShown } from "../wire.ts";
import { FRAME_MS, type View } from "./view.ts";

/** The task with an id. */
export class TaskView implements View {
  readonly pause = FRAME_MS;
  readonly period = 5_000;
  readonly #backend: Pick<Backend, "log">;
  readonly #operator: Operator;
  readonly #histories: Histories;
  readonly #id: string;
  #log: readonly LogLine[] = [];
  /** How many lines the task had logged when its log was read. */
  #logged = 0;

  constructor(backend: Pick<Backend, "log">, operator: Operator, histories: Histories, id: string) {
    this.#backend = backend;
    this.#operator = operator;
    this.#histories = histories;
    this.#id = id;
  }

  observe(event: TaskEvent): boolean {
    return event.kind === "gap" || event.task.id === this.#id;
  }

  async read(): Promise<TaskShown> {
    const now = Date.now();
    const task = await this.#operator.get(this.#id).catch((error) => {
      if (error instanceof TaskNotFound) return undefined;
      throw error;
    });
    if (task === undefined) return { view: "task", now, timeline: [], log: [] };
    if (task.logged !== undefined && task.logged > this.#logged) {
      this.#log = await this.#backend.log?.(task.id, task.owner) ?? [];
      this.#logged = task.logged;
    }
    return { view: "task", now, task, timeline: timelineOf(task, this.#histories.of(this.#id)), log: this.#log };
  }
}
