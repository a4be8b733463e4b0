/**
 * The lease of a worker: one row that says until when it lives, by the database's clock. The cost is one write per worker,
 * however many tasks it runs. Each claim adds one row with the tasks that it took; each renewal merges these rows.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { LeasedWorker, WorkerLease } from "../shared/store/store.ts";
import type { Database } from "./connecting/database.ts";

/** A task that a worker holds, and its version. */
export interface HeldTask extends Pick<TaskInfo, "id" | "owner"> {
  readonly version: number;
}

/**
 * The lease of one worker, of `duration` ms. `known` returns the tasks that the worker knows it holds. `putBack` hands a task
 * back that the worker has never run.
 */
export function leaseOf(
  { run, schema, readClock }: Database,
  { name, jobs, host, pid, since }: LeasedWorker,
  duration: number,
  known: () => readonly TaskInfo[],
  putBack: (task: HeldTask) => Promise<void>,
): WorkerLease {
  /** Tasks, with their versions, that this worker holds according to the database, but did not know of at the last renewal. */
  let unknown: ReadonlySet<string> = new Set();
  /** Returns what a worker holds, and merges the rows of its claims into one. */
  const heldBy = async (worker: string): Promise<readonly HeldTask[]> => {
    const rows = await run<HeldTask>({
      name: "mcp_jobs_held",
      text: `WITH noted AS (DELETE FROM ${schema}.claims WHERE worker = $1 RETURNING ids),
        listed AS MATERIALIZED (SELECT unnest(ids) AS id FROM noted),
        held AS (SELECT DISTINCT id, owner, version FROM listed JOIN ${schema}.tasks USING (id) WHERE holder = $1),
        tidied AS (INSERT INTO ${schema}.claims (worker, ids) SELECT $1, array_agg(id) FROM held HAVING count(*) > 0)
        SELECT id, owner, version FROM held`,
    }, [worker]);
    return rows.map(({ owner, ...task }) => ({ ...task, owner: JSON.parse(owner) }));
  };
  /**
   * Puts back what was unknown, and unchanged, at two renewals in a row: the answer to its claim was lost. Other unknown
   * tasks are just being claimed.
   */
  const putBackUnknown = async () => {
    const own = await heldBy(name);
    const ids = new Set(known().map(({ id }) => id));
    const unlisted = own.filter(({ id }) => !ids.has(id));
    const lost = unlisted.filter((task) => unknown.has(nameOf(task)));
    unknown = new Set(unlisted.map(nameOf)).difference(new Set(lost.map(nameOf)));
    await Promise.all(lost.map(putBack));
  };
  return {
    duration,
    async renew() {
      await run({
        name: "mcp_jobs_renew",
        text: `INSERT INTO ${schema}.workers (name, jobs, expires_at, host, pid, since)
          VALUES ($1, $2, now() + $3::float8 * interval '1 ms', $4, $5, $6)
          ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
      }, [name, jobs, duration, host, pid, since]);
      await readClock();
      await putBackUnknown();
    },
    async dead() {
      await readClock(); // While the machine slept, this process's own clock may have stood still.
      const dead = await run<{ name: string }>({
        name: "mcp_jobs_dead",
        text: `SELECT name FROM ${schema}.workers WHERE expires_at <= now() AND name <> $1
          AND EXISTS (SELECT FROM ${schema}.claims WHERE worker = name)`,
      }, [name]);
      return await Promise.all(dead.map(async ({ name }) => ({
        name,
        tasks: await heldBy(name),
        remove: async () => void await heldBy(name), // What no worker has taken over stays listed.
      })));
    },
    async end() {
      await run({ text: `UPDATE ${schema}.workers SET expires_at = now() WHERE name = $1` }, [name]);
    },
  };
}

/** A task at a version, as text. */
function nameOf({ id, version }: HeldTask): string {
  return `${id} ${version}`;
}
