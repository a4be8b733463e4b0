/**
 * From a call to the task that is to be stored.
 *
 * @module
 */
import type { NewTask } from "../backend.ts";
import { retryPolicy } from "../job.ts";
import type { RegisteredJob } from "../registry.ts";
import type { Json } from "../task.ts";

/** A new task of a job, as its registration says. A client may ask for another `ttl` of its result, in ms. */
export function newTask(
  { job, policy, resultTtl, route }: RegisteredJob,
  id: string,
  input: Json,
  owner: string,
  ttl: number | undefined,
): NewTask {
  return {
    id,
    job: job.name,
    owner,
    input,
    resultTtl: ttl === undefined ? resultTtl : Math.max(1, Math.round(ttl)),
    retry: retryPolicy(policy),
    timeout: policy.timeout,
    delay: policy.delay,
    priority: policy.priority,
    route,
  };
}
