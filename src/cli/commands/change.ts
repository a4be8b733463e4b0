/**
 * `mcp-jobs cancel` and `mcp-jobs retry`: change tasks that are named, or all that the options describe.
 *
 * @module
 */
import type { Operator } from "../../backend.ts";
import { JobsError, TaskFinished, TaskNotFound } from "../../errors.ts";
import { newTaskId } from "../../ids.ts";
import type { TaskInfo, TaskStatus } from "../../task.ts";
import { oneLine } from "../../text.ts";
import { type Call, type Command, command, UsageError } from "../command.ts";
import { jsonOf } from "../format.ts";
import { final, flag, oneOf } from "../option.ts";
import { interrupted, type Selected, SELECTION, tasksOf } from "../selection.ts";

const AT_ONCE = 50;

/** A task that has not finished. What waits is read before what runs, since most tasks go that way. */
const UNFINISHED = ["PENDING", "RETRYING", "INPUT_REQUIRED", "RUNNING"] as const satisfies readonly TaskStatus[];

/** The key of `operator.retry`: each task is repeated once, however often and by how many the command is run. */
const ONCE = "mcp-jobs retry";

const yes = flag("go on; without it, the tasks that the options describe are only counted");

export const cancel: Command = command({
  name: "cancel",
  about: "Cancel tasks, and wait up to 2 s until their code has stopped",
  operands: ["[ID]..."],
  options: {
    ...SELECTION,
    status: oneOf("STATUS", `${UNFINISHED.join(", ")}; default: any of these`, UNFINISHED),
    yes,
  },
  run: async (call) => {
    const { operator, operands, options: { status } } = call;
    const ids = await chosen(call, call.options, UNFINISHED);
    return await each(call, ids, async (id) => {
      if (status !== undefined && (await operator.get(id)).status !== status) return;
      try {
        const task = await operator.cancel(id);
        const code = task.status === "CANCELLED" ? `, its code: ${task.work.replaceAll("_", " ")}` : "";
        return { task, shown: `${task.id} is ${task.status}${code}` };
      } catch (error) {
        if (operands.length > 0 || !(error instanceof TaskFinished)) throw error;
      }
    });
  },
});

export const retry: Command = command({
  name: "retry",
  about: "Repeat finished tasks, each once, as a new task with the same input and owner",
  operands: ["[ID]..."],
  options: {
    ...SELECTION,
    status: final("COMPLETED, FAILED or CANCELLED; default: FAILED"),
    again: flag("once more, for tasks that this command has already repeated"),
    yes,
  },
  run: async (call) => {
    const { again, ...options } = call.options;
    const ids = await chosen(call, options, ["FAILED"]);
    const start = newTaskId();
    return await each(call, ids, async (id) => {
      const task = await call.operator.retry(id, again ? undefined : ONCE);
      return { task, shown: `${task.id} ${task.id > start ? "repeats" : "has already repeated"} ${id}` };
    });
  },
});

/** The ids that were passed, or those of the tasks that the options describe. Throws `UsageError` unless it is one of both. */
async function chosen(
  { operator, operands, out, signal }: Pick<Call, "operator" | "operands" | "out" | "signal">,
  { yes, ...selected }: Selected & { readonly yes?: true },
  statuses: readonly TaskStatus[],
): Promise<readonly string[]> {
  const isDescribed = Object.values(selected).some((value) => value !== undefined);
  if (operands.length > 0 && isDescribed) throw new UsageError("pass ids, or options that describe tasks, not both.");
  if (operands.length > 0) return [...new Set(operands)];
  if (!isDescribed) throw new UsageError("ID is missing, or an option that describes the tasks.");
  const ids = new Set<string>();
  for (const status of selected.status === undefined ? statuses : [selected.status]) {
    for await (const task of tasksOf(operator, { ...selected, status }, signal)) {
      if (!await isOwnRepeat(operator, task)) ids.add(task.id);
    }
  }
  if (ids.size === 0) out.say("There is no such task.");
  else if (!yes) {
    throw new UsageError(`${ids.size === 1 ? "1 task matches" : `${ids.size} tasks match`}. Pass --yes to go on.`);
  }
  return [...ids];
}

/** Whether a task repeats one that ended in the same way, as an earlier run of `retry` makes it. A failed one is no such repeat. */
async function isOwnRepeat(operator: Operator, { status, retryOf }: TaskInfo): Promise<boolean> {
  if (retryOf === undefined || (status !== "COMPLETED" && status !== "CANCELLED")) return false;
  try {
    return (await operator.get(retryOf)).status === status;
  } catch (error) {
    if (error instanceof TaskNotFound) return false;
    throw error;
  }
}

/** Does something with each task, also after it has failed for one. `act` resolves with nothing for a task that it leaves alone. */
async function each(
  { out, signal }: Pick<Call, "out" | "signal">,
  ids: readonly string[],
  act: (id: string) => Promise<{ readonly task: TaskInfo; readonly shown: string } | void>,
): Promise<number> {
  let code = 0;
  let left = 0;
  for (let at = 0; at < ids.length; at += AT_ONCE) {
    if (signal.aborted) throw interrupted();
    for (const done of await Promise.allSettled(ids.slice(at, at + AT_ONCE).map(act))) {
      if (done.status === "fulfilled") {
        if (done.value) out.write(`${out.json ? jsonOf(done.value.task) : done.value.shown}\n`);
        else left++;
      } else {
        if (!(done.reason instanceof JobsError)) throw done.reason;
        out.say(oneLine(done.reason.message, 2_000));
        code = 1;
      }
    }
  }
  if (left === 1) out.say("1 task had another status by its turn, and was left alone.");
  else if (left > 1) out.say(`${left} tasks had another status by their turn, and were left alone.`);
  return code;
}
