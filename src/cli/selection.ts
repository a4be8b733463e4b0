/**
 * Finds the tasks that the options of a command describe, on all pages.
 *
 * @module
 */
import type { Operator } from "../backend.ts";
import { JobsError } from "../errors.ts";
import { openQuestions, type TaskInfo, type TaskStatus } from "../task.ts";
import { type Options, UsageError, type Values } from "./command.ts";
import { text, time } from "./option.ts";

/** The options that describe tasks, besides their status. */
export const SELECTION = {
  job: text("NAME", "of this job"),
  owner: text("OWNER", "of this owner"),
  since: time("created then or later"),
  until: time("created before"),
  message: text("TEXT", "with this text in their message, such as a part of an error or a question"),
} as const satisfies Options;

/** The most tasks that an operator reads at once. */
const MAX_PAGE = 1_000;

export type Selected = Partial<Values<typeof SELECTION>> & { readonly status?: TaskStatus; readonly cursor?: string };

/**
 * Reads the tasks that match, newest first, so many of them a page. Throws `UsageError` if none could, and
 * `JobsError` once `signal` is aborted.
 */
export async function* tasksOf(
  operator: Operator,
  { message = "", ...filter }: Selected,
  signal: AbortSignal,
  limit: number = MAX_PAGE,
): AsyncGenerator<TaskInfo> {
  let { cursor } = filter;
  const { since = -Infinity, until = Infinity } = filter;
  if (since >= until) throw new UsageError("--since has to be earlier than --until.");
  do {
    if (signal.aborted) throw interrupted();
    const page = await operator.tasks({ ...filter, cursor, limit: Math.min(limit, MAX_PAGE) });
    yield* page.tasks.filter((task) =>
      [task, ...openQuestions(task)].some((one) => (one.message ?? "").includes(message))
    );
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/** The user has ended the command before it was done. */
export function interrupted(): JobsError {
  return new JobsError("Interrupted before it was done.");
}
