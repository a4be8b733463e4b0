/**
 * `mcp-jobs logs`: what a job has logged.
 *
 * @module
 */
import type { LogLine } from "../../backend.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import { type Call, type Command, command, first } from "../command.ts";
import { jsonOf, printable, timeOf } from "../format.ts";
import { flag } from "../option.ts";
import type { Output } from "../output.ts";

/** Shows the log of a task. */
export const logs: Command = command({
  name: "logs",
  about: "Show the log of a task, which has its last 200 lines",
  operands: ["ID"],
  options: { follow: flag("go on until the task has ended") },
  run: async ({ backend, operator, operands, options: { follow }, out, signal }) => {
    const task = await operator.get(first(operands));
    const last = write(out, await backend.log(task.id, task.owner), 0);
    if (follow) await followLog({ backend, operator, out, signal }, task, last);
    else if (last === 0) out.say("The task has logged nothing.");
  },
});

/** Writes lines until the task has ended. */
async function followLog(
  { backend, operator, out, signal }: Pick<Call, "backend" | "operator" | "out" | "signal">,
  { id, owner }: TaskInfo,
  last: number,
): Promise<void> {
  const { promise: over, resolve: end, reject: fail } = Promise.withResolvers<void>();
  const read = async (task: TaskInfo) => {
    if ((task.logged ?? 0) > last) last = write(out, await backend.log(id, owner), last);
    if (isFinished(task)) end();
  };
  // One after another, so that no line is written twice.
  let reading: Promise<void> = Promise.resolve();
  const next = (task: () => Promise<TaskInfo> | TaskInfo) => {
    reading = reading.then(async () => await read(await task())).catch(fail);
  };
  const leave = backend.watch((event) => {
    if (event.kind === "gap") next(() => operator.get(id));
    else if (event.task.id === id) next(() => event.task);
  });
  const stop = () => end();
  signal.addEventListener("abort", stop, { once: true });
  try {
    next(() => operator.get(id)); // It may have changed before the subscription.
    if (signal.aborted) end();
    await over;
  } finally {
    signal.removeEventListener("abort", stop);
    leave();
  }
}

/** Writes the lines after a number. Returns the number of the last one. */
function write(out: Output, lines: readonly LogLine[], after: number): number {
  for (const line of lines.filter(({ number }) => number > after)) {
    const { at, level, text } = line;
    out.write(`${out.json ? jsonOf(line) : `${timeOf(at)} ${level.padEnd(9)} ${printable(text)}`}\n`);
  }
  return lines.at(-1)?.number ?? after;
}
