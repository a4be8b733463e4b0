/**
 * From the query of a stream to the view that it asks for.
 *
 * @module
 */
import type { Backend } from "../../backend.ts";
import type { Operator, TaskFilter } from "../../contract/operator.ts";
import { TaskStatus } from "../../task.ts";
import type { Histories } from "../history/histories.ts";
import type { Samples } from "../samples.ts";
import { schedules, workers } from "./lists.ts";
import { overview } from "./overview.ts";
import { TaskView } from "./task.ts";
import { TasksView } from "./tasks.ts";
import type { View } from "./view.ts";

/** How many tasks a page of them has. */
const PAGE = 50;

export interface Sources {
  readonly backend: Backend;
  readonly operator: Operator;
  readonly samples: Samples;
  readonly histories: Histories;
}

/** The view that a query asks for; `undefined` if there is none of its name. */
export function viewOf(query: URLSearchParams, { backend, operator, samples, histories }: Sources): View | undefined {
  switch (query.get("view")) {
    case "overview":
      return overview(operator, samples);
    case "tasks":
      return new TasksView(operator, filterOf(query));
    case "task":
      return new TaskView(backend, operator, histories, query.get("id") ?? "");
    case "workers":
      return workers(operator);
    case "schedules":
      return schedules(operator);
    default:
      return undefined;
  }
}

/** The filter of a query. What is empty or unknown in it counts as absent. */
function filterOf(query: URLSearchParams): TaskFilter & { readonly limit: number } {
  const text = (name: string) => query.get(name) || undefined;
  const since = Number(text("since"));
  return {
    job: text("job"),
    status: Object.values(TaskStatus).find((status) => status === text("status")),
    owner: text("owner"),
    since: Number.isSafeInteger(since) && since > 0 ? since : undefined,
    cursor: text("cursor"),
    limit: PAGE,
  };
}
