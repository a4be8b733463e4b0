import type { Operator, TaskFilter, TaskInfo } from "@mcp-jobs/mcp-jobs/backend";

/** What has failed, by what it says. `since` and `until` count from when a task was created. */
export async function failures(
  operator: Operator,
  filter: Pick<TaskFilter, "job" | "since" | "until">,
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

/** Repeats tasks. A second run with the same key repeats none again, and returns what the first one has made. */
export async function repeat(operator: Operator, tasks: readonly TaskInfo[], key: string): Promise<TaskInfo[]> {
  const again: TaskInfo[] = [];
  for (const { id } of tasks) again.push(await operator.retry(id, key));
  return again;
}
