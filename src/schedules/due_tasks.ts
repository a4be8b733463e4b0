/**
 * Creates the task of a due time once, whichever servers try at the same time, and whichever of them die.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { idNamedBy } from "../contract/task_key.ts";
import { BackendError, JobsError, TaskExpired, TaskNotFound } from "../errors.ts";
import { newTaskId, timeOfTaskId } from "../ids.ts";
import type { OnError } from "../log/on_error.ts";
import type { RegisteredJob } from "../registry.ts";
import type { Audit } from "../tasks/audit.ts";
import { TOMBSTONE_MS } from "../task.ts";
import { newTask } from "../tasks/starting/new_task.ts";
import { inSendSpan } from "../telemetry/task_spans.ts";
import type { Schedule } from "./schedule.ts";

/** How long the key of a due time is held after the end of its task, in ms. */
const KEY_MS = 24 * 3_600_000;

/**
 * For how long the key of a past due time is not deleted, in ms. A server whose clock is slow may declare the schedule again
 * after its removal, and by that clock the time is yet to come.
 */
const PAST_MS = 60_000;

/** A due time of a schedule. */
export interface DueTime {
  readonly name: string;
  readonly schedule: Schedule;
  /** In ms since the epoch. */
  readonly dueAt: number;
}

/** Nothing was created, because the schedule has changed meanwhile. */
export class ScheduleChanged extends JobsError {}

export class DueTasks {
  readonly #backend: Pick<Backend, "create" | "get" | "keys">;
  readonly #audit: Audit;
  readonly #onError: OnError;
  readonly #now: () => number;
  /** The owners and the tasks of past due times, by their keys. */
  readonly #past = new Map<string, { readonly owner: string; readonly task: string }>();

  constructor(
    backend: Pick<Backend, "create" | "get" | "keys">,
    { audit, onError, now }: { readonly audit: Audit; readonly onError: OnError; readonly now: () => number },
  ) {
    this.#backend = backend;
    this.#audit = audit;
    this.#onError = onError;
    this.#now = now;
  }

  /**
   * Creates the task of a due time, or finds it, and deletes the keys of earlier due times. Resolves with its id, or with
   * `undefined` if it can never be stored. Rejects with `ScheduleChanged` if `isCurrent` does not hold just before it would be
   * stored, and with `BackendError`.
   */
  async create(
    { name, schedule: { owner, input, job, last }, dueAt }: DueTime,
    registered: RegisteredJob,
    isCurrent: () => Promise<boolean>,
  ): Promise<string | undefined> {
    const key = keyOf(name, dueAt);
    const text = await this.#backend.keys.readKey(owner, key);
    const before = text === undefined ? undefined : idNamedBy(text);
    if (before !== undefined && await this.#wasStored(before, owner, registered.resultTtl)) return before;
    const id = newTaskId();
    const task = {
      ...newTask(registered, id, input, owner, {}),
      key: { name: key, window: KEY_MS, heldByAll: true } as const,
    };
    const admit = async () => {
      if (!await isCurrent()) throw new ScheduleChanged(`The schedule ${name} has changed.`);
    };
    if (last) this.#past.set(keyOf(name, last.dueAt), { owner, task: last.task });
    try {
      const [made] = await Promise.all([
        inSendSpan(task, (trace) => this.#backend.create({ ...task, trace }, admit)),
        ...this.#deletePast(),
      ]);
      if (made.id === id) this.#note(name, owner, job, id);
      return made.id;
    } catch (error) {
      const isFinal = error instanceof JobsError &&
        !(error instanceof BackendError || error instanceof ScheduleChanged);
      if (!isFinal) throw error;
      this.#onError(error, { where: "create the task of a schedule", job });
    }
  }

  /** Deletes the keys of due times for which no server creates a task any more. They stand about in the order of their tasks. */
  *#deletePast(): Iterable<Promise<unknown>> {
    for (const [key, { owner, task }] of this.#past) {
      if (this.#now() - timeOfTaskId(task) < PAST_MS) return;
      this.#past.delete(key);
      // Nobody has to know if that fails: the store deletes the key after 30 days.
      yield this.#backend.keys.writeKey(owner, key, task, undefined).catch(() => {});
    }
  }

  /**
   * Whether the task that a key names was stored. If it may have expired since, it counts as stored: that cannot be known
   * any more, and nothing may run twice.
   */
  async #wasStored(id: string, owner: string, resultTtl: number): Promise<boolean> {
    try {
      await this.#backend.get(id, owner);
      return true;
    } catch (error) {
      if (error instanceof TaskExpired) return true;
      if (error instanceof TaskNotFound) return this.#now() - timeOfTaskId(id) > resultTtl + TOMBSTONE_MS;
      throw error;
    }
  }

  #note(name: string, principal: string, job: string, task: string): void {
    const at = new Date(this.#now()).toISOString();
    this.#audit({
      at,
      event: "created",
      principal,
      operation: "create",
      job,
      task,
      reason: `By the schedule ${name}.`,
    });
  }
}

/** The key of a due time: it names its task. */
function keyOf(schedule: string, dueAt: number): string {
  return `schedule:${schedule}:${dueAt}`;
}
