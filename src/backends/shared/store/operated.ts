/**
 * Adapts a store of ours to what the operator needs.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import { BackendError, TaskExpired, TaskNotFound } from "../../../errors.ts";
import { isTaskId } from "../../../ids.ts";
import type { OperatedStore } from "../../../operator/primitives.ts";
import { hasExpired } from "../../../task.ts";
import type { Store } from "./store.ts";

/**
 * `open` returns the store before each call, or throws if it cannot be used. `here`: the workers of this process, about which
 * it knows more than the store.
 */
export function operated(open: () => Store, here: () => readonly WorkerInfo[]): OperatedStore {
  const find = async (id: string) => {
    const store = open();
    const entry = isTaskId(id) ? await store.operating.find(id) : undefined;
    if (entry === undefined) throw new TaskNotFound(id);
    if (hasExpired(entry.record.info, store.now())) throw new TaskExpired(id);
    return entry;
  };
  const input = async (id: string) => {
    const input = await open().input(await find(id));
    if (input === undefined) throw new BackendError(`Cannot read the input of task ${id}: it is not stored any more.`);
    return input;
  };
  return {
    hasExpired: (task) => hasExpired(task, open().now()),
    get: async (id) => (await find(id)).record.info,
    input,
    steps: async (id) => await open().steps(await find(id)),
    submitted: async (id) => {
      const { info: { job, owner, resultTtl }, retry, timeout, priority } = (await find(id)).record;
      return { job, owner, input: await input(id), resultTtl, retry, timeout, priority };
    },
    ahead: async () => await open().operating.ahead(),
    page: async (query, limit) => await open().operating.page(query, limit),
    counts: async () => await open().operating.counts(),
    workers: async () => {
      const others = await open().operating.workers();
      const known = here();
      return [...known, ...others.filter((other) => !known.some(({ name }) => name === other.name))];
    },
    withWorker: async (jobs) => {
      const known = new Set(here().flatMap((worker) => worker.jobs));
      const others = jobs.filter((job) => !known.has(job));
      const elsewhere = others.length > 0 ? await open().withWorker(others) : [];
      return [...jobs.filter((job) => known.has(job)), ...elsewhere];
    },
    purge: async (which, cursor) => await open().operating.purge(which, cursor),
  };
}
