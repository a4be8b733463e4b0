import type { Worker } from "bullmq";
import type { RedisStore } from "../../../src/backends/bullmq/redis/store.ts";

/** Calls back with each BullMQ worker that a store opens, until the returned function is called. */
export function onOpenedWorker(store: RedisStore, opened: (worker: Worker) => void): () => void {
  const workersOf = store.workers;
  store.workers = (limits) => {
    const workers = workersOf.call(store, limits);
    const open = workers.open.bind(workers);
    workers.open = (...args) => {
      const made = open(...args);
      opened(made.worker);
      return made;
    };
    return workers;
  };
  return () => store.workers = workersOf;
}
