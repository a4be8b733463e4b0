/**
 * The progress of a call, as its client is notified of it.
 *
 * @module
 */
import type { Json, TaskInfo } from "../../task.ts";

/** The time without a report after which the last one is repeated, in ms: a client gets one at least every 10 s. */
const REPEAT_MS = 9_000;

/**
 * Reports the progress of one call to a client that gave a progress token (utility "Progress"). While a job reports
 * nothing, the last report is repeated: some clients give up on a silent call, and some proxies close its stream.
 */
export class CallProgress implements Disposable {
  readonly #report: (task: Pick<TaskInfo, "progress" | "message">) => void;
  readonly #repeat: number;
  #last: Pick<TaskInfo, "progress" | "message" | "status"> = { status: "PENDING" };
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(token: string | number, notify: (params: Record<string, Json>) => void, repeat: number = REPEAT_MS) {
    this.#report = progressTo(token, notify);
    this.#repeat = repeat;
    this.#wait();
  }

  /** Reports a change, unless it has left progress and message as they were last reported: so does a line in the log. */
  report(task: TaskInfo): void {
    const { progress, message } = this.#last;
    this.#last = task;
    if (task.progress === progress && task.message === message) return;
    this.#report(task);
    this.#wait();
  }

  #wait(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { progress, message, status } = this.#last;
      this.#report({ progress, message: message ?? (status === "PENDING" ? "Waiting to start." : "Running.") });
      this.#wait();
    }, this.#repeat);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/**
 * Makes a listener that reports the changes of a task to a client (utility "Progress"). The value must grow with each
 * notification, so a message without progress raises it slightly; a change with neither is not reported.
 */
export function progressTo(
  progressToken: string | number,
  notify: (params: Record<string, Json>) => void,
): (task: Pick<TaskInfo, "progress" | "message">) => void {
  let last = 0;
  return ({ progress, message }) => {
    if (progress === undefined && message === undefined) return;
    last = Math.max(progress ?? 0, last + 1e-6);
    notify({ progressToken, progress: last, total: 1, ...(message !== undefined && { message }) });
  };
}
