/**
 * What PostgreSQL itself achieves on this machine: one table, group commit, `FOR UPDATE SKIP LOCKED`. No leases, owners or
 * notifications.
 */
import pg from "pg";
import { batched } from "../../src/backends/shared/batch.ts";
import { claimed, created, settled } from "../../src/backends/shared/record.ts";
import { newTick, now } from "../jobs.ts";

const CONNECTIONS = 6;
const MOST = 100;

/** A queue in one table, and its worker. */
export class RawPostgres implements AsyncDisposable {
  readonly #pool: pg.Pool;

  private constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  /** Makes the table. */
  static async open(url: string): Promise<RawPostgres> {
    // As with ours, a plan that was made while the table was small must not read it whole.
    const options = "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c jit=off";
    const pool = new pg.Pool({ connectionString: url, options, max: CONNECTIONS });
    await pool.query("CREATE TABLE raw (id uuid PRIMARY KEY, ready boolean NOT NULL, record text NOT NULL)");
    await pool.query("CREATE INDEX ON raw (id) WHERE ready");
    return new RawPostgres(pool);
  }

  /**
   * Tasks per second from creation to end, with `inFlight` under way: records as ours, stored in one statement for many,
   * taken by a second and ended by a third.
   */
  async throughput(total: number, inFlight: number): Promise<number> {
    const over = Promise.withResolvers<void>();
    const travel = { atOnce: 2, enough: MOST / 4 };
    const create = batched((records: readonly Row[]) => this.#write(CREATE, records), MOST, travel);
    const end = batched((records: readonly Row[]) => this.#write(END, records), MOST, travel);
    let [sent, ready, done, claiming] = [0, 0, 0, 0];
    const send = async () => {
      if (sent++ >= total) return;
      const record = created(newTick(), Date.now());
      await create({ id: record.info.id, record: JSON.stringify(record) });
      ready++;
      void claim().catch(over.reject);
    };
    const claim = async () => {
      if (ready === 0 || claiming > 0) return;
      claiming++;
      const rows = await this.#claim();
      claiming--;
      ready -= rows.length;
      for (const row of rows) void finish(row).catch(over.reject);
      await claim();
    };
    const finish = async ({ id, record }: Row) => {
      const attempt = { kind: "value", value: { ranAt: now() } } as const;
      const ended = settled(claimed(JSON.parse(record), "raw", Date.now()), attempt, Date.now(), 0);
      await end({ id, record: JSON.stringify(ended) });
      if (++done === total) over.resolve();
      else await send();
    };
    const start = performance.now();
    for (let i = 0; i < inFlight; i++) void send().catch(over.reject);
    await over.promise;
    return total / ((performance.now() - start) / 1_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool.end();
  }

  async #write(query: typeof CREATE, rows: readonly Row[]): Promise<readonly Row[]> {
    await this.#pool.query({ ...query, values: [rows.map(({ id }) => id), rows.map(({ record }) => record)] });
    return rows;
  }

  async #claim(): Promise<readonly Row[]> {
    return (await this.#pool.query<Row>({ ...CLAIM, values: [MOST] })).rows;
  }
}

interface Row {
  readonly id: string;
  readonly record: string;
}

const CREATE = {
  name: "raw_create",
  text: "INSERT INTO raw SELECT id, true, record FROM unnest($1::uuid[], $2::text[]) AS row (id, record)",
};

const CLAIM = {
  name: "raw_claim",
  text: `WITH found AS MATERIALIZED
    (SELECT id FROM raw WHERE ready ORDER BY id LIMIT $1::integer FOR UPDATE SKIP LOCKED)
    UPDATE raw SET ready = false FROM found WHERE raw.id = found.id RETURNING raw.id, record`,
};

const END = {
  name: "raw_end",
  text:
    "UPDATE raw SET record = row.record FROM unnest($1::uuid[], $2::text[]) AS row (id, record) WHERE raw.id = row.id",
};
