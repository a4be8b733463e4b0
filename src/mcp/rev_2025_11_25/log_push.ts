/**
 * What tasks log, as log messages to the client of one connection (section "Logging").
 *
 * @module
 */
import { z } from "zod";
import type { LogLevel, LogLine } from "../../backend.ts";
import { remember } from "../../recent.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import { isAtLeast, LOG_LEVELS } from "../../task_log/levels.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { TaskServer } from "../host.ts";
import type { CallLog } from "../revision.ts";
import { relatedTask } from "./wire.ts";

/** The number of tasks whose last sent line is remembered. */
const REMEMBERED = 1_000;

const SetLevelParams = z.looseObject({ level: z.enum(LOG_LEVELS) });

export type SendLog = (params: { readonly [key: string]: unknown }) => Promise<void>;

/** The log of a task, read whenever it has new lines. */
interface FollowedLog {
  readonly task: TaskInfo;
  /** How many lines there are. */
  logged: number;
  /** The number of the last line that was read. */
  last: number;
  /** Resolves once all lines so far are sent; absent if they are. */
  reading?: Promise<void>;
  /** Sends lines to the call that waits for the task; absent if none does. */
  send?: SendLog;
  stop?: () => void;
}

/**
 * Sends the lines of tasks, each once, after the client has set a level; before that it gets none. A line
 * below the level is not sent.
 */
export class LogPush implements Disposable {
  readonly #tasks: Tasks;
  readonly #notify: SendLog;
  readonly #followed = new Map<string, FollowedLog>();
  /** The number of the last line that was read of tasks that are no longer followed, by their ids. */
  readonly #read = new Map<string, number>();
  #level: LogLevel | undefined;
  #closed = false;

  /** `notify` sends what belongs to no call. */
  constructor(tasks: Tasks, notify: SendLog) {
    this.#tasks = tasks;
    this.#notify = notify;
  }

  /** Declares the capability, and takes the level that the client sets. Log messages of extensions follow it, too. */
  bind(server: TaskServer): void {
    server.registerCapabilities({ logging: {} });
    const plain = server.plainHandler("logging/setLevel");
    server.setOwnHandler("logging/setLevel", SetLevelParams, async (params, ctx) => {
      this.#level = params.level;
      return await plain?.(params, ctx) ?? {};
    });
  }

  /**
   * Sends what a task logs until it ends: with `send` while a call waits for it. Returns `undefined` where no more is sent: the
   * client has set no level, or the task has ended.
   */
  follow(task: TaskInfo, send?: SendLog): CallLog | undefined {
    if (this.#level === undefined || this.#closed) return undefined;
    const log = this.#followed.get(task.id) ?? (isFinished(task) ? undefined : this.#begin(task));
    if (log === undefined || send === undefined) return undefined;
    log.send = send;
    return {
      sent: async () => await log.reading,
      [Symbol.dispose]() {
        if (log.send === send) log.send = undefined;
      },
    };
  }

  /** Stops following every task: the connection is closed. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const log of [...this.#followed.values()]) this.#end(log);
  }

  #begin(task: TaskInfo): FollowedLog {
    const log: FollowedLog = { task, logged: 0, last: this.#read.get(task.id) ?? 0 };
    this.#followed.set(task.id, log);
    log.stop = this.#tasks.follow(task, (now) => {
      log.logged = now.logged ?? 0;
      const reading = log.reading ??= this.#readAll(log);
      if (isFinished(now)) void reading.then(() => this.#end(log));
    });
    return log;
  }

  #end(log: FollowedLog): void {
    if (!this.#isFollowed(log)) return;
    this.#followed.delete(log.task.id);
    log.stop?.();
    remember(this.#read, log.task.id, log.last, REMEMBERED);
  }

  #isFollowed(log: FollowedLog): boolean {
    return this.#followed.get(log.task.id) === log;
  }

  async #readAll(log: FollowedLog): Promise<void> {
    await undefined; // Lines of the same tick are read together.
    while (log.logged > log.last && this.#isFollowed(log)) {
      const { logged } = log;
      try {
        for (const line of await this.#tasks.log(log.task, true)) {
          if (line.number <= log.last || !this.#isFollowed(log)) continue;
          log.last = line.number;
          await this.#send(log, line);
        }
      } catch (error) {
        // The lines stay in the log, where the client can read them.
        const { id: task, job } = log.task;
        if (this.#isFollowed(log)) this.#tasks.onError(error, { where: "send the log of a task", job, task });
      }
      log.last = Math.max(log.last, logged);
    }
    log.reading = undefined; // In the same tick in which nothing was left to read.
  }

  async #send({ task: { id, job }, send }: FollowedLog, { level, text }: LogLine): Promise<void> {
    if (this.#level === undefined || !isAtLeast(level, this.#level)) return;
    const params = { level, logger: job, data: text };
    await (send ? send(params) : this.#notify({ ...params, _meta: relatedTask(id) }));
  }
}
