/**
 * What the store in PostgreSQL does for an operator.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import type { OperatingStore } from "../../shared/store/store.ts";
import type { Database } from "../connecting/database.ts";
import type { PgEntry } from "../rows.ts";
import type { Ahead } from "./ahead.ts";
import { everyId, heldIds } from "../tables/parts.ts";
import { countTasks } from "./counts.ts";
import { readPage } from "./page.ts";
import { purgePage } from "./purge.ts";

/** Reads the tasks of all owners. `find` reads a task of any owner. */
export function operatingOf(
  database: Database,
  ahead: Ahead,
  find: (id: string) => Promise<PgEntry | undefined>,
): OperatingStore<PgEntry> {
  return {
    find,
    ahead: () => ahead.read(),
    page: (query, limit) => readPage(database, query, limit),
    counts: () => countTasks(database),
    workers: () => workersIn(database),
    passClaims: () => passClaims(database),
    purge: (which, cursor) => purgePage(database, which, cursor),
  };
}

function workersIn({ run, schema }: Database): Promise<readonly WorkerInfo[]> {
  return run<WorkerInfo>({
    name: "mcp_jobs_workers",
    text: `SELECT name, host, pid, jobs, since, ARRAY(
        SELECT id::text FROM ${heldIds(schema, "workers.name")} AS held WHERE EXISTS (
          SELECT FROM ${schema}.tasks WHERE tasks.id = held.id AND holder = workers.name OFFSET 0
        ) ORDER BY id
      ) AS running FROM ${schema}.workers WHERE ${everyId("name")} AND expires_at > now()`,
  });
}

/**
 * Each claim locks the row of its worker, and is void if that row has changed since the claim began; this changes all
 * rows, also of workers whose lease has run out: their last claim may still be under way.
 */
async function passClaims({ run, schema }: Database): Promise<void> {
  await run({
    name: "mcp_jobs_pass_claims",
    text: `WITH locked AS (SELECT name FROM ${schema}.workers ORDER BY name FOR UPDATE)
      UPDATE ${schema}.workers SET pauses = pauses + 1 FROM locked WHERE workers.name = locked.name`,
  });
}
