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
  { title: "DONE", cell: ({ progress }) => percent(progress), right: true, spare: true },
  { title: "TRY", cell: ({ attempt }) => String(attempt), right: true, spare: true },
  { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt), spare: true },
  { title: "OWNER", cell: ({ owner }) => owner, shrinks: true, spare: true },
  { title: "MESSAGE", cell: ({ message = "" }) => message, shrinks: true, spare: true },
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
    limit: number("N", "list at most N tasks; default: 100", 1, 1_000),
    cursor: text("CURSOR", "list the page after this cursor"),
  },
  run: async ({ operator, options, out, signal }) => {
    let page = await operator.tasks(options);
    // Where few tasks match, a page may have none yet.
    while (page.tasks.length === 0 && page.nextCursor !== undefined && !signal.aborted) {
      page = await operator.tasks({ ...options, cursor: page.nextCursor });
    }
    const { tasks, nextCursor } = page;
    showRows(out, tasks, TASK_COLUMNS, "There is no such task.");
    if (nextCursor !== undefined) out.say(`There are more: --cursor ${nextCursor}`);
  },
});
