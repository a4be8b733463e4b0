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
import { isFinished, type TaskInfo } from "../../task.ts";
import { explainWait } from "../../tasks/wait_reasons.ts";
import type { TaskShown } from "../wire.ts";
import { FRAME_MS, type View } from "./view.ts";

/** How often it is read without an event, in ms: steps emit no events. */
const LIVE_MS = 1_000;
const FINISHED_MS = 10_000;

export class TaskView implements View {
  readonly pause = FRAME_MS;
  period = LIVE_MS;
  readonly #backend: Pick<Backend, "log" | "hasWorker">;
  readonly #operator: Operator;
  readonly #histories: Histories;
  readonly #id: string;
  #log: readonly LogLine[] = [];
  /** How many lines the task had logged when its log was read. */
  #logged = 0;
  /** When the steps may be read again, by `performance.now()`. */
  #stepsAt = -Infinity;

  constructor(backend: Pick<Backend, "log" | "hasWorker">, operator: Operator, histories: Histories, id: string) {
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
      this.#log = await this.#backend.log(task.id, task.owner);
      this.#logged = task.logged;
    }
    this.period = isFinished(task) ? FINISHED_MS : LIVE_MS;
    if (!isFinished(task)) await this.#readSteps(task);
    const timeline = timelineOf(task, this.#histories.of(this.#id));
    const explained = await explainWait(task, this.#backend, new Map(), now);
    return { view: "task", now, task: explained, timeline, log: this.#log };
  }

  /** Reads the recorded steps. Their results may be large, so the pause grows with the time that a read takes. */
  async #readSteps(task: TaskInfo): Promise<void> {
    const start = performance.now();
    if (start < this.#stepsAt) return;
    this.#histories.read(task, await this.#operator.steps(task.id));
    const end = performance.now();
    this.#stepsAt = end + Math.max(LIVE_MS / 2, 10 * (end - start));
  }
}
