/**
 * The lease of a worker: one row that says until when it lives, by the database's clock. The cost is one write per worker,
 * however many tasks it runs: which these are stands in the queue.
 *
 * @module
 */
import type { TaskInfo } from "../../task.ts";
import type { DeadWorker, Worker, WorkerLease } from "../shared/store/store.ts";
import type { Database, Statement } from "./database.ts";

/** A task, by what names it. */
type TaskName = Pick<TaskInfo, "id" | "owner">;

/** What a lease needs. */
export interface PgLeaseOptions extends Worker {
  /** How long it lasts, in ms. */
  readonly duration: number;
  /** The tasks held now. */
  readonly held: () => readonly TaskInfo[];
  /** Puts back a task that the queue gives to a worker which never ran it. */
  readonly putBack: (worker: string, task: TaskName) => Promise<void>;
}

/** A row of the queue, with the owner as JSON. */
interface HeldRow extends TaskName {
  readonly holder: string;
}

/** The lease of one worker. */
export class PgLease implements WorkerLease {
  readonly duration: number;
  readonly #database: Database;
  readonly #options: PgLeaseOptions;
  readonly #sql: { readonly [name in "renew" | "own" | "dead" | "end"]: Statement };
  /** Tasks that the queue gives this worker, and that it did not know of at the last renewal. */
  #unknown: ReadonlySet<string> = new Set();

  constructor(database: Database, options: PgLeaseOptions) {
    const { schema } = database;
    this.duration = options.duration;
    this.#database = database;
    this.#options = options;
    const held = `SELECT queue.id, queue.holder, tasks.owner FROM ${schema}.queue JOIN ${schema}.tasks USING (id)`;
    this.#sql = {
      renew: {
        name: "mcp_jobs_renew",
        text: `INSERT INTO ${schema}.workers VALUES ($1::uuid, $2::text[], now() + $3::float8 * interval '1 ms')
          ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
      },
      own: { name: "mcp_jobs_own", text: `${held} WHERE holder = $1::uuid` },
      dead: {
        name: "mcp_jobs_dead",
        text: `${held} JOIN ${schema}.workers ON workers.name = holder WHERE expires_at <= now() AND name <> $1::uuid`,
      },
      end: { text: `UPDATE ${schema}.workers SET expires_at = now() WHERE name = $1::uuid` },
    };
  }

  async renew(): Promise<void> {
    const { name, jobs } = this.#options;
    await this.#database.run(this.#sql.renew, [name, jobs, this.duration]);
    await this.#database.readClock();
    await this.#putBackUnknown();
  }

  async dead(): Promise<readonly DeadWorker[]> {
    const held = Map.groupBy(await this.#held("dead", this.#options.name), ({ holder }) => holder);
    return [...held].map(([name, tasks]) => ({
      name,
      tasks,
      // What it had taken, but not claimed, goes back to the queue. Its own row is left to the sweep.
      bury: async () => await this.#putBack(name, await this.#held("own", name)),
    }));
  }

  async end(): Promise<void> {
    await this.#database.run(this.#sql.end, [this.#options.name]);
  }

  /** Puts back what was unknown at the last renewal, too: the answer to its claim was lost. The rest is being claimed. */
  async #putBackUnknown(): Promise<void> {
    const { name, held } = this.#options;
    const own = await this.#held("own", name);
    const known = new Set(held().map(({ id }) => id));
    const unknown = own.filter(({ id }) => !known.has(id));
    const lost = unknown.filter(({ id }) => this.#unknown.has(id));
    this.#unknown = new Set(unknown.map(({ id }) => id)).difference(new Set(lost.map(({ id }) => id)));
    await this.#putBack(name, lost);
  }

  async #putBack(worker: string, tasks: readonly TaskName[]): Promise<void> {
    await Promise.all(tasks.map((task) => this.#options.putBack(worker, task)));
  }

  async #held(which: "own" | "dead", worker: string): Promise<readonly HeldRow[]> {
    const rows = await this.#database.run<HeldRow>(this.#sql[which], [worker]);
    return rows.map((row) => ({ ...row, owner: JSON.parse(row.owner) }));
  }
}
