/**
 * `mcp-jobs cancel` and `mcp-jobs retry`.
 *
 * @module
 */
import { JobsError } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import { oneLine } from "../../text.ts";
import { type Call, type Command, command } from "../command.ts";
import { jsonOf } from "../format.ts";

/** Cancels tasks. */
export const cancel: Command = command({
  name: "cancel",
  about: "Cancel tasks, and wait up to 2 s until their code has stopped",
  operands: ["ID..."],
  options: {},
  run: (call) =>
    each(call, async (id) => {
      const task = await call.operator.cancel(id);
      const code = task.status === "CANCELLED" ? `, its code: ${task.work.replaceAll("_", " ")}` : "";
      return { task, shown: `${task.id} is ${task.status}${code}` };
    }),
});

/** Repeats tasks. */
export const retry: Command = command({
  name: "retry",
  about: "Repeat finished tasks, each as a new task with the same input and owner",
  operands: ["ID..."],
  options: {},
  run: (call) =>
    each(call, async (id) => {
      const task = await call.operator.retry(id);
      return { task, shown: `${task.id} repeats ${id}` };
    }),
});

/** Does something with each task that was passed. One that fails does not keep the others from it. */
async function each(
  { operands, out }: Pick<Call, "operands" | "out">,
  act: (id: string) => Promise<{ readonly task: TaskInfo; readonly shown: string }>,
): Promise<number> {
  let code = 0;
  for (const id of operands) {
    try {
      const { task, shown } = await act(id);
      out.write(`${out.json ? jsonOf(task) : shown}\n`);
    } catch (error) {
      if (!(error instanceof JobsError)) throw error;
      out.say(oneLine(error.message, 2_000));
      code = 1;
    }
  }
  return code;
}
