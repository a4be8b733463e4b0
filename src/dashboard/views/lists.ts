/**
 * The workers and the schedules. No event of tasks says when they change, so they are read every two seconds.
 *
 * @module
 */
import type { Operator } from "../../contract/operator.ts";
import type { View } from "./view.ts";

const EVERY = { pause: 500, period: 2_000, observe: () => false } as const;

export function workers(operator: Operator): View {
  return {
    ...EVERY,
    read: async () => ({ view: "workers", now: Date.now(), workers: await operator.workers() }),
  };
}

export function schedules(operator: Operator): View {
  return {
    ...EVERY,
    read: async () => ({ view: "schedules", now: Date.now(), schedules: await operator.schedules() }),
  };
}
