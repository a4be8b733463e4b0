/**
 * From a call to the task that is to be stored.
 *
 * @module
 */
import type { NewTask } from "../../backend.ts";
import { retryPolicy } from "../../job.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { PerCall } from "../../schema/per_call.ts";
import type { Json } from "../../task.ts";

/** A new task of a job, as its registration says, unless its call says otherwise; `ttl` of its result is in ms. */
export function newTask(
  { job, policy, resultTtl, route }: RegisteredJob,
  id: string,
  input: Json,
  owner: string,
  { ttl, delay = policy.delay, priority = policy.priority }: PerCall & { readonly ttl?: number },
): NewTask {
  return {
    id,
    job: job.name,
    owner,
    input,
    resultTtl: ttl === undefined ? resultTtl : Math.max(1, Math.round(ttl)),
    retry: retryPolicy(policy),
    timeout: policy.timeout,
    delay,
    priority,
    route,
  };
}
