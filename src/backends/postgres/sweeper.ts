/**
 * Deletes what has expired, page after page, so that no statement holds locks for long.
 *
 * @module
 */
import { unheard } from "../../log/log_error.ts";
import type { Database, Statement } from "./database.ts";
import { EVENT_TTL_MS } from "./events.ts";

/** How often it looks, in ms. */
const SWEEP_MS = 30_000;

/** The most rows of one page. */
const PAGE = 500;

/** The pause between two pages, in ms. */
const PAGE_PAUSE_MS = 20;

/** Sweeps for one process. */
export class Sweeper implements AsyncDisposable {
  readonly #database: Database;
  readonly #pages: readonly Statement[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sweeping: Promise<void> = Promise.resolve();
  #closed = false;

  /** Starts; the first sweep is after a random part of the pause, so that processes take turns. */
  constructor(database: Database) {
    const { schema } = database;
    this.#database = database;
    const page = (table: string, key: string, where: string) =>
      `DELETE FROM ${schema}.${table} WHERE (${key}) IN (SELECT ${key} FROM ${schema}.${table} WHERE ${where}
        LIMIT ${PAGE} FOR UPDATE SKIP LOCKED)`;
    this.#pages = [
      {
        text: `WITH gone AS (${page("expiries", "expires_at, id", "expires_at <= now()")} RETURNING id),
          bodies AS (DELETE FROM ${schema}.bodies WHERE id IN (SELECT id FROM gone)),
          tasks AS (DELETE FROM ${schema}.tasks WHERE id IN (SELECT id FROM gone))
          SELECT id FROM gone`,
      },
      { text: `${page("events", "seq", `at <= now() - interval '${EVENT_TTL_MS} ms'`)} RETURNING seq` },
      { text: `${page("streams", "stream, id", "expires_at <= now()")} RETURNING id` },
    ];
    this.#wait(SWEEP_MS * Math.random());
  }

  /** Deletes all that is due. */
  async sweep(): Promise<void> {
    for (const statement of this.#pages) {
      while (!this.#closed && (await this.#database.run(statement)).length === PAGE) {
        await new Promise((resolve) => setTimeout(resolve, PAGE_PAUSE_MS));
      }
    }
  }

  /** Stops, after the page under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#sweeping;
  }

  #wait(ms: number): void {
    if (this.#closed) return;
    this.#timer = setTimeout(() => {
      // What fails now is due again the next time.
      this.#sweeping = this.sweep().catch(unheard("delete what has expired in PostgreSQL")).finally(() =>
        this.#wait(SWEEP_MS)
      );
    }, ms);
  }
}
