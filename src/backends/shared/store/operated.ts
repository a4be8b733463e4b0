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
 * Checks before each call that the store can be used. `here`: the workers of this process, about which it knows more than
 * the store.
 */
export function operated(
  store: Store,
  checkOpen: () => void,
  here: () => readonly WorkerInfo[],
): OperatedStore {
  const { operating } = store;
  const find = async (id: string) => {
    checkOpen();
    const entry = isTaskId(id) ? await operating.find(id) : undefined;
    if (entry === undefined) throw new TaskNotFound(id);
    if (hasExpired(entry.record.info, store.now())) throw new TaskExpired(id);
    return entry;
  };
  const input = async (id: string) => {
    const input = await store.input(await find(id));
    if (input === undefined) throw new BackendError(`Cannot read the input of task ${id}: it is not stored any more.`);
    return input;
  };
  return {
    hasExpired: (task) => hasExpired(task, store.now()),
    get: async (id) => (await find(id)).record.info,
    input,
    steps: async (id) => await store.steps(await find(id)),
    submitted: async (id) => {
      const { info: { job, owner, resultTtl }, retry, timeout, priority } = (await find(id)).record;
      return { job, owner, input: await input(id), resultTtl, retry, timeout, priority };
    },
    ahead: async () => {
      checkOpen();
      return await operating.ahead();
    },
    page: async (query, limit) => {
      checkOpen();
      return await operating.page(query, limit);
    },
    counts: async () => {
      checkOpen();
      return await operating.counts();
    },
    workers: async () => {
      checkOpen();
      const others = await operating.workers();
      const known = here();
      return [...known, ...others.filter((other) => !known.some(({ name }) => name === other.name))];
    },
    purge: async (which, cursor) => {
      checkOpen();
      return await operating.purge(which, cursor);
    },
  };
}
