/**
 * How many tasks of each job are in each state. Each statement that changes tasks adds rows to the table `counts`, of what it
 * adds and takes away, so that no two statements wait for each other; the sweep merges them. A claim adds nothing: tasks
 * that are claimed and not written since are few, and counted each time.
 *
 * @module
 */
import { HEADS, MAX_DUE, NO_TASKS, oldestOf } from "../../../operator/counts.ts";
import type { TaskCounts } from "../../../operator/primitives.ts";
import type { TaskInfo, TaskStatus } from "../../../task.ts";
import type { TaskRecord } from "../../shared/record.ts";
import type { Database } from "../connecting/database.ts";
import { heldIds } from "../tables/parts.ts";
import { parseState } from "./states.ts";

/** The most rows that a sweep merges at once. */
const PAGE = 5_000;

interface CountRow {
  readonly job: string;
  readonly state: string;
  readonly tasks: number;
}

interface WaitingRow {
  readonly job: string;
  readonly record: string;
}

/** Counts the tasks of every job that has any. */
export async function countTasks({ schema, run }: Database): Promise<readonly TaskCounts[]> {
  const [rows, waiting] = await Promise.all([
    run<CountRow>({ name: "mcp_jobs_counts", text: countStatement(schema) }),
    run<WaitingRow>({ name: "mcp_jobs_waiting", text: waitingStatement(schema) }),
  ]);
  const waitingOf = Map.groupBy(waiting, ({ job }) => job);
  const jobs = [...Map.groupBy(rows, ({ job }) => job)];
  return jobs.map(([job, states]) => {
    const oldestWaiting = oldestOf((waitingOf.get(job) ?? []).map(taskOf));
    return { job, ...sumOf(states), ...(oldestWaiting !== undefined && { oldestWaiting }) };
  });
}

function taskOf({ record }: WaitingRow): TaskInfo {
  const { info }: TaskRecord = JSON.parse(record);
  return info;
}

function sumOf(rows: readonly CountRow[]): Pick<TaskCounts, "counts" | "parked"> {
  const counts: { [status in TaskStatus]: number } = { ...NO_TASKS };
  let waitParked = 0;
  for (const { state, tasks } of rows) {
    const { status, parked } = parseState(state);
    counts[status] += tasks;
    if (parked) waitParked += tasks;
  }
  return { counts, parked: waitParked };
}

/** Sums up the counters, and counts claimed tasks as running, whatever state they are stored in. */
function countStatement(schema: string): string {
  return `
WITH claimed AS MATERIALIZED (
  SELECT job, state, count(*) AS tasks FROM ${heldIds(schema)} AS held, LATERAL (
    SELECT job, state FROM ${schema}.tasks WHERE tasks.id = held.id AND claimed_at IS NOT NULL OFFSET 0
  ) AS task GROUP BY job, state
)
SELECT job, state, sum(tasks)::float8 AS tasks FROM (
  SELECT job, state, tasks FROM ${schema}.counts WHERE seq > 0
  UNION ALL SELECT job, state, -tasks FROM claimed
  UNION ALL SELECT job, 'RUNNING', tasks FROM claimed
) AS changes GROUP BY job, state HAVING sum(tasks) > 0`;
}

/**
 * The tasks that may have waited longest: the heads of each job's queue, for each priority, and what is due, but has not been
 * made ready by a worker.
 */
function waitingStatement(schema: string): string {
  return `
WITH RECURSIVE heads AS (
  (SELECT job, priority, due_at FROM ${schema}.queue WHERE NOT delayed ORDER BY job, delayed, priority, due_at LIMIT 1)
  UNION ALL
  SELECT next.* FROM heads, LATERAL (
    SELECT job, priority, due_at FROM ${schema}.queue
    WHERE (job, delayed, priority) > (heads.job, false, heads.priority) AND NOT delayed
    ORDER BY job, delayed, priority, due_at LIMIT 1
  ) AS next
), due AS (
  SELECT job, id, version FROM ${schema}.queue WHERE delayed AND due_at <= now() ORDER BY due_at LIMIT ${MAX_DUE}
), waiting AS (
  SELECT first.* FROM heads, LATERAL (
    SELECT job, id, version FROM ${schema}.queue
    WHERE job = heads.job AND NOT delayed AND priority = heads.priority ORDER BY due_at LIMIT ${HEADS}
  ) AS first
  UNION ALL SELECT * FROM due
)
SELECT job, record FROM waiting JOIN ${schema}.tasks USING (job, id, version)`;
}

/** Merges many rows into one. Resolves with whether there may be more. */
export async function mergeCounts({ schema, run }: Database): Promise<boolean> {
  const [row] = await run<{ merged: number }>({
    text: `
WITH old AS (
  DELETE FROM ${schema}.counts WHERE seq IN (
    SELECT seq FROM ${schema}.counts ORDER BY seq LIMIT ${PAGE} FOR UPDATE SKIP LOCKED
  ) RETURNING job, state, tasks
), made AS (
  INSERT INTO ${schema}.counts (job, state, tasks)
  SELECT job, state, sum(tasks) FROM old GROUP BY job, state HAVING sum(tasks) <> 0
)
SELECT count(*)::integer AS merged FROM old`,
  });
  return row?.merged === PAGE;
}
