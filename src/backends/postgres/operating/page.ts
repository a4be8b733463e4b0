/**
 * Pages of the tasks of all owners. Each source lists ids by an index, the newest first. Then the tasks are read, and checked
 * for what the source cannot tell.
 *
 * @module
 */
import type { FoundTasks, TaskQuery } from "../../../operator/primitives.ts";
import type { Database } from "../connecting/database.ts";
import { entryOf, FIRST_ID, LAST_ID, TASK_COLUMNS, type TaskRow } from "../rows.ts";
import { heldIds } from "../tables/parts.ts";
import { MARKED, statesOf } from "./states.ts";

/** The most ids that one page reads. */
const MAX_READ = 5_000;

interface Source {
  /** For the names of its statements. */
  readonly name: string;
  /** A table with a column `id`, and a condition; `$3` is the key. */
  readonly where: string;
  readonly key?: string;
}

/** Reads a page. `OFFSET 0` keeps the plan: each task is read by its id, however few the planner expects to match. */
export async function readPage(database: Database, query: TaskQuery, limit: number): Promise<FoundTasks> {
  const { run, schema } = database;
  const { job, status, before = LAST_ID, from = FIRST_ID } = query;
  const owner = query.owner === undefined ? null : JSON.stringify(query.owner);
  // A running task is stored with the state in which it was claimed.
  const states = status === undefined || status === "RUNNING" ? null : statesOf(status);
  const { name, where, key = null } = await sourceOf(database, query);
  const ids = `SELECT id FROM ${where} AND id < $1::uuid AND id >= $2::uuid ORDER BY id DESC`;
  const rows = await run<TaskRow & { readonly id: string }>({
    name: `mcp_jobs_page_${name}`,
    text: `SELECT task.* FROM (${ids} LIMIT ${MAX_READ}) AS found, LATERAL (
        SELECT id, ${TASK_COLUMNS} FROM ${schema}.tasks WHERE tasks.id = found.id AND ($5::text IS NULL OR job = $5)
        AND ($6::text IS NULL OR owner = $6) AND ($7::text[] IS NULL OR state = ANY($7)) OFFSET 0
      ) AS task ORDER BY found.id DESC LIMIT $4`,
  }, [before, from, key, limit, job ?? null, owner, states]);
  const tasks = rows.map((row) => entryOf(row).record.info);
  if (rows.length === limit) return { tasks, next: rows.at(-1)?.id };
  const [edge] = await run<{ id: string }>({
    name: `mcp_jobs_edge_${name}`,
    text: `${ids} OFFSET ${MAX_READ - 1} LIMIT 1`,
  }, [before, from, key]);
  return { tasks, next: edge?.id };
}

/** The source with the fewest ids that do not match. */
async function sourceOf(database: Database, { job, owner, status }: TaskQuery): Promise<Source> {
  const { schema } = database;
  if (status === "RUNNING") return { name: "running", where: `${heldIds(schema)} AS held WHERE $3::text IS NULL` };
  if (status !== undefined && MARKED.includes(status)) {
    return { name: "marked", where: `${schema}.marks WHERE status = $3`, key: status };
  }
  // Where many tasks wait, most of the newest ones do.
  if (status === "PENDING" && await waitsFew(database, job)) {
    const [name, condition] = job === undefined ? ["waiting", "$3::text IS NULL"] : ["waiting_job", "job = $3"];
    const waiting = `SELECT DISTINCT id FROM ${schema}.queue WHERE ${condition}`;
    return { name, where: `(${waiting}) AS waiting WHERE true`, key: job };
  }
  if (owner !== undefined) {
    return { name: "owner", where: `${schema}.tasks WHERE owner = $3`, key: JSON.stringify(owner) };
  }
  if (job !== undefined) return { name: "job", where: `${schema}.tasks WHERE job = $3`, key: job };
  return { name: "all", where: `${schema}.tasks WHERE $3::text IS NULL` };
}

/** Whether all waiting tasks can be read at once. */
async function waitsFew({ run, schema }: Database, job: string | undefined): Promise<boolean> {
  const condition = job === undefined ? "" : "WHERE job = $1";
  const [row] = await run<{ waiting: number }>({
    name: `mcp_jobs_few_${job === undefined ? "waiting" : "waiting_job"}`,
    text: `SELECT count(*)::integer AS waiting
      FROM (SELECT FROM ${schema}.queue ${condition} LIMIT ${MAX_READ}) AS first`,
  }, job === undefined ? [] : [job]);
  return row !== undefined && row.waiting < MAX_READ;
}
