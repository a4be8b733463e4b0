/**
 * `mcp-jobs tasks`: the tasks of all owners.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import { type Command, command } from "../command.ts";
import { percent, stateOf, timeOf } from "../format.ts";
import { number, status, text } from "../option.ts";
import { showRows } from "../output.ts";
import { SELECTION, tasksOf } from "../selection.ts";
import type { Column } from "../table.ts";

const TASK_COLUMNS: readonly Column<TaskInfo>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "JOB", cell: ({ job }) => job, shrinks: true },
  { title: "STATUS", cell: ({ status }) => status },
  { title: "DONE", cell: ({ progress }) => percent(progress), right: true, spare: "first" },
  { title: "TRY", cell: ({ attempt }) => String(attempt), right: true, spare: "first" },
  { title: "CREATED", cell: ({ createdAt }) => timeOf(createdAt), spare: "first" },
  { title: "OWNER", cell: ({ owner }) => owner, shrinks: true, spare: "first" },
  { title: "MESSAGE", cell: stateOf, shrinks: true, spare: "last" },
];

export const tasks: Command = command({
  name: "tasks",
  about: "List tasks, newest first",
  operands: [],
  options: {
    ...SELECTION,
    status,
    limit: number("N", "list at most N tasks; default: 100", 1, 100_000),
    cursor: text("CURSOR", "list the page after this cursor"),
  },
  run: async ({ operator, options: { limit = 100, ...selected }, out, signal }) => {
    const tasks: TaskInfo[] = [];
    let isMore = false;
    for await (const task of tasksOf(operator, selected, signal, limit + 1)) {
      isMore = tasks.length === limit;
      if (isMore) break;
      tasks.push(task);
    }
    showRows(out, tasks, TASK_COLUMNS, "There is no such task.");
    if (isMore) out.say(`There are more: --cursor ${tasks.at(-1)?.id}`);
  },
});
