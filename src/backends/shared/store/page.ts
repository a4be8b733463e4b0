/**
 * Pages of an owner's tasks.
 *
 * @module
 */
import type { TaskPage } from "../../../backend.ts";
import { checkOptions, required, wholeNumber } from "../../../options.ts";
import type { TaskInfo } from "../../../task.ts";

/** A task that was listed by its id; without `task` it is gone, or has expired. */
interface Listed {
  readonly id: string;
  readonly task?: TaskInfo;
}

const LIMIT = { limit: required(wholeNumber(1)) };

/**
 * Fills a page. `list` lists up to `max` tasks whose ids sort before one, or the newest, the newest first. Rejects with
 * `DefinitionError` unless the limit is a whole number from 1.
 */
export async function fillPage(
  { cursor, limit }: { readonly cursor?: string | undefined; readonly limit: number },
  list: (before: string | undefined, max: number) => Promise<readonly Listed[]>,
): Promise<TaskPage> {
  checkOptions("list", { limit }, LIMIT);
  const tasks: TaskInfo[] = [];
  let before = cursor;
  while (true) {
    const found = await list(before, limit + 1);
    for (const { task } of found) {
      if (task === undefined) continue;
      if (tasks.length === limit) return { tasks, nextCursor: tasks.at(-1)?.id };
      tasks.push(task);
    }
    if (found.length <= limit) return { tasks };
    before = found.at(-1)?.id;
  }
}
