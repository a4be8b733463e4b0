/**
 * A schema of PostgreSQL where many tasks are finished.
 *
 * @module
 */
import pg from "pg";
import { type Backend, createWorker, PostgresBackend } from "../../mod.ts";
import { tick } from "../jobs.ts";
import { throughput } from "../measure.ts";

/** Opens a schema of its own with a worker, after as many tasks of it have finished. */
export async function openSchema(
  url: string,
  schema: string,
  finished: number,
): Promise<AsyncDisposable & { readonly backend: Backend }> {
  await PostgresBackend.migrate({ url, schema });
  const backend = await PostgresBackend.connect({ url, schema });
  const worker = createWorker(backend, [tick], { concurrency: 100, grace: 0 });
  await worker.ready;
  if (finished > 0) {
    await throughput(backend, 1, 1);
    await copyTask(url, schema, finished);
  }
  return {
    backend,
    [Symbol.asyncDispose]: async () => {
      await worker.close();
      await backend.close();
    },
  };
}

/** Copies the one task that there is, in every table: each copy has an id of its own, as if made 1 ms after another. */
async function copyTask(url: string, schema: string, copies: number): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    "SELECT table_name AS name FROM information_schema.columns WHERE table_schema = $1 AND column_name = 'id' AND data_type = 'uuid'",
    [schema],
  );
  const from = Date.now() - copies - 60_000;
  for (const { name } of tables) {
    await client.query(
      `INSERT INTO ${schema}.${name} SELECT made.* FROM (SELECT id, to_jsonb(row)::text AS old FROM ${schema}.${name} row) task,
        LATERAL (SELECT n, lpad(to_hex($1::bigint + n), 12, '0') AS hex FROM generate_series(1, $2::integer) n) number,
        LATERAL (SELECT substr(hex, 1, 8) || '-' || substr(hex, 9) || substr(id::text, 14) AS id) new,
        LATERAL regexp_replace(old, '(\\\\"createdAt\\\\":)\\d+', '\\1' || ($1::bigint + n)) AS dated,
        LATERAL jsonb_populate_record(NULL::${schema}.${name}, replace(dated, task.id::text, new.id)::jsonb) made`,
      [from, copies],
    );
    await client.query(`VACUUM ANALYZE ${schema}.${name}`); // No vacuum runs meanwhile.
  }
  await client.end();
}
