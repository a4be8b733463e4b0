/**
 * What a person does on the page: each action is a `POST` to a path of its own.
 *
 * @module
 */
import type { Operator } from "../contract/operator.ts";
import type { Done } from "./wire.ts";

type Action = (operator: Operator, name: string) => Promise<Done>;

const ACTIONS: { readonly [path: string]: Action } = {
  "tasks/cancel": async (operator, id) => {
    const task = await operator.cancel(id);
    const isAsked = task.status === "CANCELLED" && task.work === "stop_requested";
    const more = isAsked ? " Its code was asked to stop, and has not confirmed." : "";
    return { message: `The task is cancelled.${more}` };
  },
  "tasks/retry": async (operator, id) => {
    const { id: task } = await operator.retry(id);
    return { message: "A new task repeats it.", task };
  },
  "jobs/pause": async (operator, job) => {
    const queues = await operator.pause(job);
    const more = queues.map((queue) => ` The whole queue ${queue} is paused: its other jobs wait, too.`);
    return { message: `${job} is paused: no worker begins its tasks.${more.join("")}` };
  },
  "jobs/resume": async (operator, job) => {
    await operator.resume(job);
    return { message: `${job} runs again.` };
  },
  "schedules/pause": async (operator, name) => found(await operator.pauseSchedule(name, true), name, "is paused"),
  "schedules/resume": async (operator, name) => found(await operator.pauseSchedule(name, false), name, "runs again"),
  "schedules/remove": async (operator, name) => found(await operator.removeSchedule(name), name, "is removed"),
};

/** The action of a path `/api/<kind>/<name>/<verb>`; `undefined` if there is none. */
export function actionOf(kind: string, verb: string): Action | undefined {
  return ACTIONS[`${kind}/${verb}`];
}

function found(there: boolean, name: string, what: string): Done {
  return { message: there ? `The schedule ${name} ${what}.` : `There is no schedule ${name} any more.` };
}
