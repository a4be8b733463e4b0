/**
 * From a call of a job to its task: a new task, one that an earlier call has left, or the holder of its key.
 *
 * @module
 */
import type { Backend, NewTask, TaskKey, TraceContext } from "../../backend.ts";
import { KeyInUse, LimitExceeded } from "../../errors.ts";
import { newTaskId } from "../../ids.ts";
import type { OnError } from "../../log/on_error.ts";
import type { RegisteredJob } from "../../registry.ts";
import { readPerCall, withoutPerCall } from "../../schema/per_call.ts";
import { validate } from "../../schema/schema.ts";
import type { TaskInfo } from "../../task.ts";
import { inSendSpan } from "../../telemetry/task_spans.ts";
import type { Caller } from "../callers/caller.ts";
import type { Callers } from "../callers/callers.ts";
import type { ListName } from "../callers/offer_lists.ts";
import type { Guard } from "../guard.ts";
import { newTask } from "./new_task.ts";
import { callersKeyOf, listOf, reportKeyUnknown, uniqueKeyOf } from "./task_keys.ts";
import { CallersKeys } from "./two_keys.ts";

/** The options of a start. */
export interface StartOptions {
  /** How long the result is kept, in ms. Default: as the registration says. */
  readonly ttl?: number;
  /** Whether to take over the task of an earlier call with the same input whose caller has received no answer. Default: `false`. */
  readonly adopt?: boolean;
  /** The caller's own key: starts with the same key receive the task of the first one. */
  readonly idempotencyKey?: string;
  /** How far ahead the call may start its task, in ms. Default: 365 days. */
  readonly startWithin?: number;
  /** The trace of the caller, in case that this process has no provider of OpenTelemetry. */
  readonly trace?: TraceContext;
  /** The call that is to wait for the task. */
  readonly caller?: Caller;
}

/** A start with a valid input. */
interface Start {
  /** The task, if it is to be a new one. */
  readonly task: NewTask;
  /** The caller's own key, if `task` has that of `unique`. */
  readonly second: TaskKey | undefined;
  /** The list from which it may take over a task. */
  readonly list: ListName | undefined;
  readonly caller: Caller | undefined;
  /** Called if another task holds a key of this one. */
  readonly onFound: (holder: TaskInfo) => void;
}

export class Starting {
  readonly #backend: Pick<Backend, "create" | "get" | "keys">;
  readonly #guard: Guard;
  readonly #callers: Callers;
  readonly #callersKeys: CallersKeys;
  readonly #now: () => number;
  readonly #onError: OnError;

  constructor(
    backend: Pick<Backend, "create" | "get" | "keys">,
    guard: Guard,
    callers: Callers,
    now: () => number,
    onError: OnError,
  ) {
    this.#backend = backend;
    this.#guard = guard;
    this.#callers = callers;
    this.#callersKeys = new CallersKeys(backend, now);
    this.#now = now;
    this.#onError = onError;
  }

  /** As `Tasks.start`. */
  start(registered: RegisteredJob, input: unknown, owner: string, options: StartOptions): Promise<TaskInfo> {
    const { name, job, perCall } = registered;
    const id = newTaskId();
    return this.#guard.audited({ operation: "create", owner, job: job.name }, async () => {
      const whole = this.#guard.admit(owner, input, options.ttl);
      const what = `input for ${name}`;
      const call = readPerCall(whole, perCall, { what, now: this.#now(), within: options.startWithin });
      const json = withoutPerCall(whole, perCall);
      await validate(job.input, json, what);
      const { caller } = options;
      const list = options.adopt ? listOf(registered, json, owner) : undefined;
      if (list) caller?.setList(list);
      const own = callersKeyOf(job, json, options.idempotencyKey);
      const unique = uniqueKeyOf(registered, json);
      const task = { ...newTask(registered, id, json, owner, { ttl: options.ttl, ...call }), key: unique ?? own };
      const second = unique && own;
      const onFound = (holder: TaskInfo) => {
        if (unique === undefined) return;
        caller?.found();
        this.#callers.found(holder, listOf(registered, json, owner), caller !== undefined);
      };
      return await inSendSpan(task, (trace = options.trace) => {
        return this.#takeOrCreate({ task: { ...task, trace }, second, list, caller, onFound });
      });
    }, (task) => ({ event: task.id === id ? "created" : "found", task: task.id })).catch(
      reportKeyUnknown(this.#onError, job.name),
    );
  }

  /** As the list is nearly always empty, it is read only if it may not be. */
  async #takeOrCreate(start: Start): Promise<TaskInfo> {
    const { task, list } = start;
    if (list === undefined) return await this.#create(start);
    if (task.key === undefined && this.#callers.seemsEmpty(list)) {
      try {
        return await this.#create(start, list.key);
      } catch (error) {
        // The list is not empty, or the owner may have no other new task: there may be one to take over.
        if (!(error instanceof KeyInUse || error instanceof LimitExceeded)) throw error;
      }
    }
    const { caller } = start;
    const read = (id: string) => this.#backend.get(id, task.owner);
    const { number, origin } = caller ?? {};
    const isUnique = task.key !== undefined;
    const taken = await this.#callers.take(list, read, { number, origin, isUnique });
    const begun = taken.task ?? await this.#create(start);
    caller?.follows(begun, taken.givenUpAfter);
    return begun;
  }

  /** Stores the new task, if the key `unless` has no text, or finds the one that holds its key. */
  async #create({ task, second, onFound }: Start, unless?: string): Promise<TaskInfo> {
    const create = (claim?: () => Promise<void>) =>
      this.#guard.create(task, (admit) => {
        return this.#backend.create({ ...task, unless }, claim === undefined ? admit : () => admit().then(claim));
      });
    const stored = second === undefined ? await create() : await this.#callersKeys.create(task, second, create);
    if (stored.id !== task.id) onFound(stored);
    return stored;
  }
}
