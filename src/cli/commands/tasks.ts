/**
 * `mcp-jobs tasks`: the tasks of all owners.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { type Command, command } from "../command.ts";
import { percent, timeOf } from "../format.ts";
import { number, status, text, time } from "../option.ts";
import { showRows } from "../output.ts";
import type { Column } from "../table.ts";

/** The columns of a task. */
export const TASK_COLUMNS: readonly Column<TaskInfo>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "JOB", cell: ({ job }) => job, shrinks: true },
  { title: "STATUS", cell: ({ status }) => status },
  { title: "DONE", cell: ({ progress }) => percent(progress), right: true },
  { title: "TRY", cell: ({ attempt }) => String(attempt), right: true },
  { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt) },
  { title: "OWNER", cell: ({ owner }) => owner, shrinks: true },
  { title: "MESSAGE", cell: ({ message = "" }) => message, shrinks: true },
];

/** Lists tasks, newest first. */
export const tasks: Command = command({
  name: "tasks",
  about: "List tasks, newest first",
  operands: [],
  options: {
    job: text("NAME", "of this job"),
    status,
    owner: text("OWNER", "of this owner"),
    since: time("created then or later"),
    until: time("created before"),
    limit: number("N", "at most so many, by default 100", 1, 1_000),
    cursor: text("CURSOR", "the page that begins there"),
  },
  run: async ({ operator, options, out }) => {
    const { tasks, nextCursor } = await operator.tasks(options);
    showRows(out, tasks, TASK_COLUMNS, "There is no such task.");
    if (nextCursor !== undefined) out.say(`There are more: --cursor ${nextCursor}`);
  },
});
