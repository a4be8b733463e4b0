import type { Backend, TaskInfo } from "@mcp-jobs/mcp-jobs";

type Operator = Backend["operator"];

/** The failed tasks by their error messages. `since` and `until` refer to the time at which a task was created. */
export async function failures(
  operator: Operator,
  filter: { readonly job?: string; readonly since?: number; readonly until?: number },
): Promise<Map<string, TaskInfo[]>> {
  const failed: TaskInfo[] = [];
  let cursor: string | undefined;
  do {
    const page = await operator.tasks({ ...filter, status: "FAILED", cursor });
    failed.push(...page.tasks);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return Map.groupBy(failed, ({ message = "" }) => message);
}

/** Repeats tasks. A second run with the same key repeats nothing, and returns the tasks of the first run. */
export async function repeat(operator: Operator, tasks: readonly TaskInfo[], key: string): Promise<TaskInfo[]> {
  const again: TaskInfo[] = [];
  for (const { id } of tasks) again.push(await operator.retry(id, key));
  return again;
}
