/**
 * Message streams in PostgreSQL, for every process of the schema.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../backend.ts";
import type { Database } from "./database.ts";

/** Keeps messages in the table `streams`. */
export function streamsIn({ run, schema }: Database): StreamStore {
  return {
    async append(stream, { id, text }, ttl) {
      await run({
        name: "mcp_jobs_append",
        text: `INSERT INTO ${schema}.streams VALUES ($1, $2, $3, now() + $4::float8 * interval '1 ms')
          ON CONFLICT (stream, id) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at`,
      }, [stream, id, text, ttl]);
    },
    readAfter: (stream, id) =>
      run<StreamEvent>({
        name: "mcp_jobs_read_after",
        text: `SELECT id, body AS text FROM ${schema}.streams
          WHERE stream = $1 AND id > $2 AND expires_at > now() ORDER BY id`,
      }, [stream, id]),
    async clear(stream) {
      await run({ text: `DELETE FROM ${schema}.streams WHERE stream = $1` }, [stream]);
    },
  };
}
