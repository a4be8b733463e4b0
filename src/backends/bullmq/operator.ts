/**
 * What an operator sees and does, on BullMQ.
 *
 * @module
 */
import type { Backend, Operator } from "../../backend.ts";
import { BackendError } from "../../errors.ts";
import { operatorOf } from "../../operator/operator.ts";
import type { JobPauses, OperatedStore, SubmittedTask } from "../../operator/primitives.ts";
import { checkOptions, type Rule } from "../../options.ts";
import type { RedisStore } from "./redis/store.ts";
import { type Snapshot, toTask } from "./snapshot.ts";

/** What is used of the backend. */
export interface Calls {
  /** Reads a task of any owner. Rejects with `TaskNotFound`, or with `TaskExpired`. */
  find(id: string): Promise<Snapshot>;
  /** Runs calls to Redis; an error becomes a `BackendError`. */
  call<T>(what: string, act: () => Promise<T>): Promise<T>;
}

/** The operator of a backend. */
export function operatorOn(
  backend: Pick<Backend, "cancel" | "create" | "documents">,
  store: RedisStore,
  calls: Calls,
): Operator {
  return operatorOf(backend, operatedOn(store, calls), pausesOn(store, calls));
}

/** The tasks of all owners. */
function operatedOn(store: RedisStore, { find, call }: Calls): OperatedStore {
  const { operating, parking, deadline } = store;
  const submitted = async (id: string): Promise<SubmittedTask> => {
    await find(id);
    const task = await call("read what was submitted", () => operating.submitted(id));
    if (task !== undefined) return task;
    throw new BackendError(`Cannot read the input of task ${id}: its job was deleted from the queue.`);
  };
  return {
    // Pages leave out what has expired by Redis's clock, so that nothing is compared with ours.
    hasExpired: () => false,
    get: async (id) => toTask(await find(id)),
    submitted,
    async steps(id) {
      const { queue } = await find(id);
      return await call("read steps", () => deadline.wait(parking.steps(queue, id)));
    },
    input: async (id) => (await submitted(id)).input,
    ahead: () => call("list tasks", () => operating.ahead()),
    page: (query, limit) => call("list tasks", () => operating.page(query, limit)),
    counts: () => call("count tasks", () => operating.counts()),
    workers: () => call("list workers", () => operating.workers()),
    withWorker: (jobs) => call("look for workers", () => deadline.wait(store.withWorker(jobs))),
    purge: (which, cursor) => call("delete tasks", () => operating.purge(which, cursor)),
  };
}

/** The name of a job whose queue can exist. */
const QUEUED: Rule = {
  expected: 'a text without ":" on BullMQ',
  fits: (value) => typeof value === "string" && !value.includes(":"),
};

/** The pauses of jobs: BullMQ itself starts no job of a paused queue, whatever worker asks for one. */
function pausesOn({ operating }: RedisStore, { call }: Calls): JobPauses {
  const set = async (of: "pause" | "resume", job: string) => {
    checkOptions(of, { job }, { job: QUEUED });
    return await call(`${of} a job`, () => operating.setPaused(job, of === "pause"));
  };
  return {
    pause: async (job) => (await set("pause", job)).filter((queue) => queue !== job),
    resume: async (job) => void await set("resume", job),
    jobs: () => call("read what is paused", () => operating.paused()),
  };
}
