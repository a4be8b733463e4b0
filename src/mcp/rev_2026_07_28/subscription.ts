/**
 * One subscription to tasks and results (2026-07-28): follows them, and tells of each change once and in order. A client
 * that reads more slowly than its tasks change hears the newest of each.
 *
 * @module
 */
import { type JSONRPCMessage, SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/server";
import { TaskNotFound } from "../../errors.ts";
import { resourceUri } from "../../exposure/answers/call_result.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import { toProtocolError } from "../errors.ts";
import type { Served } from "../served.ts";
import { readDetailed } from "./tasks.ts";
import { type DetailedTask, wireTask } from "./wire.ts";

/** Sends one message to the client. */
export type Write = (message: JSONRPCMessage) => Promise<void>;

/** What a subscription is to. */
export interface Subscribed {
  /** The id of the request that opened it. */
  readonly id: string | number;
  readonly taskIds: readonly string[];
  /** The URIs of results. */
  readonly uris: readonly string[];
  /** What the client has declared, for the questions of a task. */
  readonly capabilities: unknown;
}

/** How many changes wait for the client to read, before those that newer ones have overtaken are left out. */
const MAX_WAITING = 256;

/** A change that is to be told. */
interface Change {
  readonly task: TaskInfo;
  /** Whether an end that could not be told is told again. */
  readonly again: boolean;
}

/** A subscription that is open. */
export class TaskSubscription implements Disposable {
  readonly #served: Pick<Served, "surface" | "tasks">;
  readonly #to: Subscribed;
  readonly #write: Write;
  readonly #followed = new Map<string, () => void>();
  #waiting: Change[] = [];
  #telling = false;
  #mostWaiting = MAX_WAITING;
  #closed = false;

  constructor(served: Pick<Served, "surface" | "tasks">, to: Subscribed, write: Write) {
    this.#served = served;
    this.#to = to;
    this.#write = write;
  }

  /** Tells where a task stands now, and then of each change until it ends. */
  follow(task: TaskInfo): void {
    this.#follow(task, { again: true });
  }

  #follow(task: TaskInfo, { again }: { readonly again: boolean }): void {
    const stop = this.#served.tasks.follow(task, (now) => {
      if (isFinished(now)) this.#unfollow(now.id);
      this.#waiting.push({ task: now, again });
      if (this.#waiting.length > this.#mostWaiting) this.#leaveOut();
      if (!this.#telling) void this.#tellAll();
    });
    this.#followed.set(task.id, stop);
  }

  /** One after the other: a result is read when its turn has come. */
  async #tellAll(): Promise<void> {
    this.#telling = true;
    for (let change = this.#waiting.shift(); change && !this.#closed; change = this.#waiting.shift()) {
      const { task, again } = change;
      await this.#tell(task).catch(() => {
        // A client that is gone reads the task when it comes back. One that is there must hear of the end: where the
        // store failed just as the result was read, it is read once more, at once or when the store is back.
        if (isFinished(task) && again && !this.#closed) this.#follow(task, { again: false });
      });
    }
    this.#telling = false;
  }

  /** Keeps the newest change of each task. */
  #leaveOut(): void {
    this.#waiting = [...new Map(this.#waiting.map((change) => [change.task.id, change])).values()];
    this.#mostWaiting = Math.max(MAX_WAITING, 2 * this.#waiting.length);
  }

  /** Stops following. */
  [Symbol.dispose](): void {
    this.#closed = true;
    for (const id of [...this.#followed.keys()]) this.#unfollow(id);
  }

  #unfollow(id: string): void {
    this.#followed.get(id)?.();
    this.#followed.delete(id);
  }

  async #tell(task: TaskInfo): Promise<void> {
    const { tasks, surface } = this.#served;
    const { taskIds, uris, capabilities } = this.#to;
    if (taskIds.includes(task.id) && surface.tasks) {
      const detailed = await readDetailed(tasks, surface.tasks, task, capabilities).catch((error) =>
        lostTask(task, error)
      );
      await this.#send("notifications/tasks", { ...detailed });
    }
    const uri = resourceUri(task);
    if (task.status === "COMPLETED" && uris.includes(uri)) await this.#send("notifications/resources/updated", { uri });
  }

  async #send(method: string, params: Record<string, unknown>): Promise<void> {
    if (this.#closed) return;
    const _meta = { [SUBSCRIPTION_ID_META_KEY]: this.#to.id };
    await this.#write({ jsonrpc: "2.0", method, params: { ...params, _meta } });
  }
}

/** The store has lost a task: it has failed, with the error that `tasks/get` answers. Throws every other error. */
function lostTask(task: TaskInfo, error: unknown): DetailedTask {
  if (!(error instanceof TaskNotFound)) throw error;
  const { code, message } = toProtocolError(error);
  return { ...wireTask(task), status: "failed", statusMessage: message, error: { code, message } };
}
