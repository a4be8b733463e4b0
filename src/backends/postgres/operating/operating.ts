/**
 * What the store in PostgreSQL does for an operator.
 *
 * @module
 */
import type { WorkerInfo } from "../../../backend.ts";
import type { FoundTasks, Purged, PurgedPage, TaskCounts, TaskQuery } from "../../../operator/primitives.ts";
import type { OperatingStore } from "../../shared/store/operating.ts";
import type { Database } from "../database.ts";
import type { PgEntry } from "../rows.ts";
import type { Ahead } from "./ahead.ts";
import { everyId, heldIds } from "./held.ts";
import { countTasks } from "./counts.ts";
import { pageOf } from "./page.ts";
import { purgePage } from "./purge.ts";

/** Reads the tasks of all owners. */
export class PgOperating implements OperatingStore<PgEntry> {
  readonly find: (id: string) => Promise<PgEntry | undefined>;
  /** The most that the time in a task's id is ahead of its `createdAt`, in ms. */
  readonly ahead: () => Promise<number>;
  readonly #database: Database;

  /** `find` reads a task of any owner. */
  constructor(database: Database, ahead: Ahead, find: (id: string) => Promise<PgEntry | undefined>) {
    this.#database = database;
    this.ahead = () => ahead.read();
    this.find = find;
  }

  page(query: TaskQuery, limit: number): Promise<FoundTasks> {
    return pageOf(this.#database, query, limit);
  }

  counts(): Promise<readonly TaskCounts[]> {
    return countTasks(this.#database);
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    const { run, schema } = this.#database;
    return await run<WorkerInfo>({
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
  async passClaims(): Promise<void> {
    const { run, schema } = this.#database;
    await run({
      name: "mcp_jobs_pass_claims",
      text: `WITH locked AS (SELECT name FROM ${schema}.workers ORDER BY name FOR UPDATE)
        UPDATE ${schema}.workers SET pauses = pauses + 1 FROM locked WHERE workers.name = locked.name`,
    });
  }

  purge(which: Purged, cursor: string | undefined): Promise<PurgedPage> {
    return purgePage(this.#database, which, cursor);
  }
}
