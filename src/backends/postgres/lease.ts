/**
 * The lease of a worker: one row that says until when it lives, by the database's clock. The cost is one write per worker,
 * however many tasks it runs. Each claim adds one row with the tasks that it took; each renewal merges these rows.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { DeadWorker, LeasedWorker, WorkerLease } from "../shared/store/store.ts";
import type { Database } from "./database.ts";

/** A task that a worker holds, and its version. */
export interface HeldTask extends Pick<TaskInfo, "id" | "owner"> {
  readonly version: number;
}

/** The lease of one worker. */
export class PgLease implements WorkerLease {
  readonly duration: number;
  readonly #database: Database;
  readonly #worker: LeasedWorker;
  readonly #known: () => readonly TaskInfo[];
  readonly #putBack: (task: HeldTask) => Promise<void>;
  /** Tasks, with their versions, that this worker holds according to the database, but did not know of at the last renewal. */
  #unknown: ReadonlySet<string> = new Set();

  /** `known` returns the tasks that it knows that it holds. `putBack` returns one that it never ran to the queue. */
  constructor(
    database: Database,
    worker: LeasedWorker,
    duration: number,
    known: () => readonly TaskInfo[],
    putBack: (task: HeldTask) => Promise<void>,
  ) {
    this.duration = duration;
    this.#database = database;
    this.#worker = worker;
    this.#known = known;
    this.#putBack = putBack;
  }

  async renew(): Promise<void> {
    const { name, jobs, host, pid, since } = this.#worker;
    await this.#database.run({
      name: "mcp_jobs_renew",
      text: `INSERT INTO ${this.#database.schema}.workers (name, jobs, expires_at, host, pid, since)
        VALUES ($1, $2, now() + $3::float8 * interval '1 ms', $4, $5, $6)
        ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
    }, [name, jobs, this.duration, host, pid, since]);
    await this.#database.readClock();
    await this.#putBackUnknown();
  }

  async dead(): Promise<readonly DeadWorker[]> {
    const { schema, run } = this.#database;
    const dead = await run<{ name: string }>({
      name: "mcp_jobs_dead",
      text: `SELECT name FROM ${schema}.workers WHERE expires_at <= now() AND name <> $1
        AND EXISTS (SELECT FROM ${schema}.claims WHERE worker = name)`,
    }, [this.#worker.name]);
    return await Promise.all(dead.map(async ({ name }) => ({
      name,
      tasks: await this.#held(name),
      remove: async () => void await this.#held(name), // What no worker has taken over stays listed.
    })));
  }

  async end(): Promise<void> {
    const text = `UPDATE ${this.#database.schema}.workers SET expires_at = now() WHERE name = $1`;
    await this.#database.run({ text }, [this.#worker.name]);
  }

  /**
   * Puts back what was unknown, and unchanged, at two renewals in a row: the answer to its claim was lost. Other unknown
   * tasks are just being claimed.
   */
  async #putBackUnknown(): Promise<void> {
    const own = await this.#held(this.#worker.name);
    const known = new Set(this.#known().map(({ id }) => id));
    const unknown = own.filter(({ id }) => !known.has(id));
    const lost = unknown.filter((task) => this.#unknown.has(nameOf(task)));
    this.#unknown = new Set(unknown.map(nameOf)).difference(new Set(lost.map(nameOf)));
    await Promise.all(lost.map(this.#putBack));
  }

  /** Returns what a worker holds, and merges the rows of its claims into one. */
  async #held(worker: string): Promise<readonly HeldTask[]> {
    const { schema, run } = this.#database;
    const rows = await run<HeldTask>({
      name: "mcp_jobs_held",
      text: `WITH noted AS (DELETE FROM ${schema}.claims WHERE worker = $1 RETURNING ids),
        listed AS MATERIALIZED (SELECT unnest(ids) AS id FROM noted),
        held AS (SELECT DISTINCT id, owner, version FROM listed JOIN ${schema}.tasks USING (id) WHERE holder = $1),
        tidied AS (INSERT INTO ${schema}.claims (worker, ids) SELECT $1, array_agg(id) FROM held HAVING count(*) > 0)
        SELECT id, owner, version FROM held`,
    }, [worker]);
    return rows.map(({ owner, ...task }) => ({ ...task, owner: JSON.parse(owner) }));
  }
}

/** A task at a version, as text. */
function nameOf({ id, version }: HeldTask): string {
  return `${id} ${version}`;
}
