/**
 * The lease of a worker: one row that says it lives, renewed while it does. When a lease has run out by the database's
 * clock, another worker takes over the tasks that stand under its name. The cost is one write per worker.
 *
 * @module
 */
import { isFinished } from "../../task.ts";
import * as change from "../shared/record.ts";
import { unheard } from "../../log/log_error.ts";
import type { Database, Statement } from "./database.ts";
import type { TaskStore } from "./store.ts";

/** What a lease needs. */
export interface LeaseOptions {
  readonly database: Database;
  readonly store: TaskStore;
  readonly worker: string;
  readonly jobs: readonly string[];
  /** How long a lease lasts, in ms. */
  readonly duration: number;
  /** Called with each renewal: the moment to look for what no event told of. */
  readonly renewed: () => Promise<void>;
}

/** Keeps the lease of one worker, and takes over what dead ones have left. */
export class Lease implements AsyncDisposable {
  /** Resolves once the worker is known. */
  readonly ready: Promise<void>;
  readonly #options: LeaseOptions;
  readonly #timers: readonly ReturnType<typeof setInterval>[];
  readonly #sql: { readonly [name in "renew" | "end" | "dead" | "held" | "release" | "bury"]: Statement };
  #underWay: Promise<void> = Promise.resolve();

  /** Begins to keep it. */
  constructor(options: LeaseOptions) {
    const { database: { schema }, duration } = options;
    this.#options = options;
    this.#sql = {
      renew: {
        name: "mcp_jobs_renew",
        text: `INSERT INTO ${schema}.workers VALUES ($1::uuid, $2::text[], now() + $3::float8 * interval '1 ms')
          ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at`,
      },
      end: { text: `UPDATE ${schema}.workers SET expires_at = now() WHERE name = $1::uuid` },
      dead: { name: "mcp_jobs_dead", text: `SELECT name FROM ${schema}.workers WHERE expires_at <= now()` },
      held: { name: "mcp_jobs_held", text: `SELECT id FROM ${schema}.queue WHERE holder = $1::uuid` },
      release: {
        name: "mcp_jobs_take_back",
        text: `UPDATE ${schema}.queue SET holder = NULL WHERE id = $1::uuid AND holder = $2::uuid`,
      },
      // Its row is locked by a claim that is under way, and kept while a task stands under its name.
      bury: {
        name: "mcp_jobs_bury",
        text: `DELETE FROM ${schema}.workers WHERE name = $1::uuid AND expires_at <= now()
          AND NOT EXISTS (SELECT FROM ${schema}.queue WHERE holder = $1::uuid)`,
      },
    };
    this.ready = this.#renew().then(() => this.recover());
    this.#timers = [
      // A renewal that fails is made up for by the next one: three fit into one lease.
      setInterval(() => this.#then(() => this.#renew().then(options.renewed)), duration / 3),
      setInterval(() => this.#then(() => this.recover()), duration / 2),
    ];
  }

  /** Takes over what dead workers have left. */
  async recover(): Promise<void> {
    const { database, worker } = this.#options;
    const dead = await database.run<{ name: string }>(this.#sql.dead);
    for (const { name } of dead) {
      if (name === worker) continue;
      const held = await database.run<{ id: string }>(this.#sql.held, [name]);
      await Promise.all(held.map(({ id }) => this.#takeOver(name, id)));
      await database.run(this.#sql.bury, [name]);
    }
  }

  /** Gives the lease up. What could not be written of a task that is still held is left for others to take over. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timers.forEach(clearInterval);
    await this.#underWay;
    const { database, worker } = this.#options;
    // If it cannot be told, the lease runs out by itself.
    await database.run(this.#sql.end, [worker]).then(() => database.run(this.#sql.bury, [worker])).catch(() => {});
  }

  /** One at a time; what fails is tried again with the next timer. */
  #then(work: () => Promise<void>): void {
    this.#underWay = this.#underWay.then(work).catch(unheard("keep the lease of a worker in PostgreSQL"));
  }

  async #renew(): Promise<void> {
    const { database, worker, jobs, duration } = this.#options;
    await database.run(this.#sql.renew, [worker, jobs, duration]);
    await database.readClock();
  }

  /** Takes a task from a dead worker, which may have taken it without having begun it. Who changes it meanwhile does not keep it there: the person who answers it, say. */
  async #takeOver(deadWorker: string, id: string): Promise<void> {
    const { database, store } = this.#options;
    while (true) {
      const entry = await store.read(id);
      if (entry === undefined || isFinished(entry.record.info)) return;
      if (entry.record.holder !== deadWorker) return void await database.run(this.#sql.release, [id, deadWorker]);
      const { record, outcome } = change.crashed(entry.record, database.now);
      if (await store.change(entry, record, outcome)) return;
    }
  }
}
