/**
 * One subscription to tasks and results (2026-07-28): it follows them, and notifies of each change once and in order. A
 * client that reads more slowly than its tasks change gets only the newest change of each.
 *
 * @module
 */
import { type JSONRPCMessage, SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/server";
import type { TraceContext } from "../../backend.ts";
import { TaskNotFound } from "../../errors.ts";
import { logUri, resourceUri } from "../../exposure/resources/uris.ts";
import type { OnError } from "../../log/on_error.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import { toProtocolError } from "../errors.ts";
import { Backlog } from "../messages/backlog.ts";
import { inSentSpan } from "../messages/sent_span.ts";
import type { Served } from "../served.ts";
import { readDetailed } from "./tasks.ts";
import { type DetailedTask, wireTask } from "./wire.ts";

/** Sends one message to the client. */
export type Write = (message: JSONRPCMessage) => Promise<void>;

export interface Subscribed {
  /** The id of the request that opened it. */
  readonly id: string | number;
  readonly taskIds: readonly string[];
  /** The URIs of results and logs. */
  readonly uris: readonly string[];
  /** What the client declares, which decides whether it gets the questions of a task. */
  readonly capabilities: unknown;
  /** The trace that the request names, to which the notifications belong. */
  readonly trace?: TraceContext;
}

/** How many changes may wait for the client before overtaken ones are dropped. */
const MAX_WAITING = 256;

/** A change that the client has yet to be notified of. */
interface Change {
  readonly task: TaskInfo;
  /** Whether to try once more if the client cannot be notified that the task ended. */
  readonly retry: boolean;
}

export class TaskSubscription implements Disposable {
  readonly #served: Pick<Served, "surface" | "tasks">;
  readonly #covers: Subscribed;
  readonly #write: Write;
  readonly #followed = new Map<string, () => void>();
  /** How many log lines of each task the client was notified of. */
  readonly #logged = new Map<string, number>();
  readonly #backlog = new Backlog<Change>(MAX_WAITING);
  #notifying = false;
  #closed = false;

  constructor(served: Pick<Served, "surface" | "tasks">, covers: Subscribed, write: Write) {
    this.#served = served;
    this.#covers = covers;
    this.#write = write;
  }

  /** Notifies of the state of a task now, and then of each change until it ends. */
  follow(task: TaskInfo): void {
    this.#follow(task, { retry: true });
  }

  #follow(task: TaskInfo, { retry }: { readonly retry: boolean }): void {
    const stop = this.#served.tasks.follow(task, (now) => {
      if (isFinished(now)) this.#unfollow(now.id);
      this.#backlog.push({ task: now, retry }, now.id);
      if (!this.#notifying) void this.#notifyAll();
    });
    this.#followed.set(task.id, stop);
  }

  /** Notifies of one change after the other; a result is read only when its turn has come. */
  async #notifyAll(): Promise<void> {
    this.#notifying = true;
    for (let change = this.#backlog.shift(); change && !this.#closed; change = this.#backlog.shift()) {
      const { task, retry } = change;
      await this.#notify(task).catch(() => {
        // A client that is gone reads the task when it comes back. A client that is still there must learn of the end: if
        // the store failed as the result was read, it is read once more, now or when the store is back.
        if (isFinished(task) && retry && !this.#closed) this.#follow(task, { retry: false });
      });
    }
    this.#notifying = false;
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const id of [...this.#followed.keys()]) this.#unfollow(id);
  }

  #unfollow(id: string): void {
    this.#followed.get(id)?.();
    this.#followed.delete(id);
  }

  async #notify(task: TaskInfo): Promise<void> {
    const { tasks, surface } = this.#served;
    const { taskIds, uris, capabilities } = this.#covers;
    if (taskIds.includes(task.id) && surface.tasks) {
      const detailed = await readDetailed(tasks, surface.tasks, task, capabilities).catch((error) =>
        lostTask(task, error, tasks.onError)
      );
      await this.#send("notifications/tasks", detailed);
    }
    const uri = resourceUri(task);
    const log = logUri(task);
    if (uris.includes(log) && (task.logged ?? 0) > (this.#logged.get(task.id) ?? 0)) {
      this.#logged.set(task.id, task.logged ?? 0);
      await this.#send("notifications/resources/updated", { uri: log });
    }
    if (task.status === "COMPLETED" && uris.includes(uri)) await this.#send("notifications/resources/updated", { uri });
  }

  async #send(method: string, params: Record<string, unknown>): Promise<void> {
    if (this.#closed) return;
    const _meta = { [SUBSCRIPTION_ID_META_KEY]: this.#covers.id };
    await inSentSpan({ jsonrpc: "2.0", method, params: { ...params, _meta } }, this.#write, this.#covers.trace);
  }
}

/** A task that the store has lost counts as failed, with the error that `tasks/get` gives. Throws every other error. */
function lostTask(task: TaskInfo, error: unknown, onError: OnError): DetailedTask {
  if (!(error instanceof TaskNotFound)) throw error;
  const { code, message } = toProtocolError(error, onError);
  return { ...wireTask(task), status: "failed", statusMessage: message, error: { code, message } };
}
