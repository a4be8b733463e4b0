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

/**
 * Sends the lines of tasks, each once, after the client has set a level; before that it gets none. A line
 * below the level is not sent.
 */
export class LogPush implements Disposable {
  readonly #tasks: Tasks;
  readonly #notify: SendLog;
  readonly #followed = new Map<string, FollowedLog>();
  /** The number of the last line that was read, by the id of its task. */
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
    return send && log?.sendTo(send);
  }

  /** Stops following every task: the connection is closed. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const log of [...this.#followed.values()]) log[Symbol.dispose]();
  }

  #begin(task: TaskInfo): FollowedLog {
    const { id, job } = task;
    const log = new FollowedLog(this.#tasks, task, {
      read: this.#read.get(id) ?? 0,
      send: async ({ level, text }, send) => {
        if (this.#level === undefined || !isAtLeast(level, this.#level)) return;
        const params = { level, logger: job, data: text };
        await (send ? send(params) : this.#notify({ ...params, _meta: relatedTask(id) }));
      },
      over: (read) => {
        this.#followed.delete(id);
        remember(this.#read, id, read, REMEMBERED);
      },
    });
    this.#followed.set(id, log);
    log.begin();
    return log;
  }
}

interface FollowOptions {
  /** The number of the last line that was read before. */
  readonly read: number;
  /** Sends a line, to the call that waits if there is one. */
  readonly send: (line: LogLine, call?: SendLog) => Promise<void>;
  /** Called once nothing more is sent, with the number of the last line. */
  readonly over: (read: number) => void;
}

/** The log of one task, read whenever it has new lines. */
class FollowedLog implements Disposable {
  readonly #tasks: Tasks;
  readonly #task: TaskInfo;
  readonly #options: FollowOptions;
  #last: number;
  /** How many lines there are. */
  #logged = 0;
  #reading: Promise<void> | undefined;
  #call: SendLog | undefined;
  #stop: (() => void) | undefined;
  #over = false;

  constructor(tasks: Tasks, task: TaskInfo, options: FollowOptions) {
    this.#tasks = tasks;
    this.#task = task;
    this.#options = options;
    this.#last = options.read;
  }

  /** Begins to follow the task. */
  begin(): void {
    this.#stop = this.#tasks.follow(this.#task, (now) => {
      this.#logged = now.logged ?? 0;
      const reading = this.#reading ??= this.#readAll();
      if (isFinished(now)) void reading.then(() => this[Symbol.dispose]());
    });
  }

  /** Sends to a call that waits, until what this returns is disposed of. */
  sendTo(call: SendLog): CallLog {
    this.#call = call;
    return {
      sent: async () => await this.#reading,
      [Symbol.dispose]: () => {
        if (this.#call === call) this.#call = undefined;
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop?.();
    this.#options.over(this.#last);
  }

  async #readAll(): Promise<void> {
    await undefined; // Lines of the same tick are read together.
    while (this.#logged > this.#last && !this.#over) {
      const logged = this.#logged;
      try {
        for (const line of await this.#tasks.log(this.#task, true)) {
          if (line.number <= this.#last || this.#over) continue;
          this.#last = line.number;
          await this.#options.send(line, this.#call);
        }
      } catch (error) {
        // The lines stay in the log, where the client can read them.
        const { id: task, job } = this.#task;
        if (!this.#over) this.#tasks.onError(error, { where: "send the log of a task", job, task });
      }
      this.#last = Math.max(this.#last, logged);
    }
    this.#reading = undefined; // In the same tick in which nothing was left to read.
  }
}
