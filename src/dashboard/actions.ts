/**
 * What a person does on the page: each action is a `POST` to a path of its own.
 *
 * @module
 */
import type { Operator } from "../contract/operator.ts";
import type { Done } from "./wire.ts";

/** How long to wait for the code of a cancelled task to stop, in ms. */
const CANCEL_WAIT_MS = 2_000;

type Action = (operator: Operator, name: string) => Promise<Done>;

const ACTIONS: { readonly [path: string]: Action } = {
  "tasks/cancel": async (operator, id) => {
    const { work } = await operator.cancel(id, CANCEL_WAIT_MS).then((task) =>
      task.status === "CANCELLED" ? task : { work: undefined }
    );
    return {
      message: work === "stop_requested"
        ? "The task is cancelled. Its code was asked to stop, and has not confirmed."
        : "The task is cancelled.",
    };
  },
  "tasks/retry": async (operator, id) => {
    const { id: task } = await operator.retry(id);
    return { message: "A new task repeats it.", task };
  },
  "jobs/pause": async (operator, job) => {
    await operator.pause(job);
    return { message: `${job} is paused: no worker begins its tasks.` };
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
  const path = `${kind}/${verb}`;
  return Object.hasOwn(ACTIONS, path) ? ACTIONS[path] : undefined;
}

function found(there: boolean, name: string, what: string): Done {
  return { message: there ? `The schedule ${name} ${what}.` : `There is no schedule ${name} any more.` };
}
