/**
 * What a 2025-11-25 connection pushes to its client about tasks: their status ("Task Status Notification"), and their
 * progress under the token of the call that created them ("Progress").
 *
 * @module
 */
import { type Asking, describeQuestions } from "../../exposure/answers/asking.ts";
import { orderOf } from "../../recent.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { progressTo } from "../tools/call_progress.ts";
import { relatedTask, type WireTask, wireTask } from "./wire.ts";

type Token = string | number;

export interface PushOptions {
  /** Sends a notification to the client. */
  readonly notify: (method: string, params: Record<string, unknown>) => void;
  /** Whether every change of a task is pushed; otherwise only the progress of those whose call has a token. */
  readonly notifications: boolean;
  /** Called with each task that the client follows. */
  readonly onFollow?: (task: TaskInfo) => void;
  /** How the questions of a job can be answered through the client; the status message says so. */
  readonly asking: (job: string) => Asking;
}

/** Pushes the changes of tasks to the client of one connection. */
export class StatusPush implements Disposable {
  readonly #tasks: Tasks;
  readonly #options: PushOptions;
  /** How to stop following each task. */
  readonly #followed = new Map<string, () => void>();
  /** Created tasks that are followed once their call is answered. */
  readonly #waiting = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #tokens = new Map<string, Token>();
  #closed = false;

  constructor(tasks: Tasks, options: PushOptions) {
    this.#tasks = tasks;
    this.#options = options;
  }

  /** A call has created a task: follows it once the call is answered. Until then the client does not know the task. */
  created(task: TaskInfo, progressToken?: Token): void {
    if (this.#closed) return;
    if (progressToken !== undefined) this.#tokens.set(task.id, progressToken);
    this.#waiting.set(task.id, setTimeout(() => this.follow(task), 0));
  }

  /** Whether the changes of a task are pushed now. */
  isFollowing(id: string): boolean {
    return this.#followed.has(id);
  }

  /** Pushes the changes of a task from this record on, until it ends. Does so once, however often it is called. */
  follow(task: TaskInfo): void {
    clearTimeout(this.#waiting.get(task.id));
    this.#waiting.delete(task.id);
    if (this.#closed || this.isFollowing(task.id)) return;
    if (isFinished(task)) return void this.#tokens.delete(task.id);
    const { notify, notifications, onFollow } = this.#options;
    onFollow?.(task);
    const token = this.#tokens.get(task.id);
    if (!notifications && token === undefined) return;
    const report = token !== undefined && progressTo(token, (params) => {
      notify("notifications/progress", { ...params, _meta: relatedTask(task.id) });
    });
    const stop = this.#tasks.follow(task, (now) => {
      if (orderOf(now) === orderOf(task)) return; // The client has it.
      if (isFinished(now)) this.#ended(now.id);
      else if (report) report(describeQuestions(now, this.#options.asking(now.job)));
      if (notifications) notify("notifications/tasks/status", this.describe(now));
    });
    this.#followed.set(task.id, stop);
  }

  /** A task as the client of this connection gets it. */
  describe(task: TaskInfo): WireTask {
    return wireTask(describeQuestions(task, this.#options.asking(task.job)));
  }

  /** Stops following every task: the connection is closed. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    for (const stop of this.#followed.values()) stop();
    this.#waiting.clear();
    this.#followed.clear();
    this.#tokens.clear();
  }

  #ended(id: string): void {
    this.#followed.get(id)?.();
    this.#followed.delete(id);
    this.#tokens.delete(id);
  }
}
