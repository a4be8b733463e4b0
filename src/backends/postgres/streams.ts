/**
 * Message streams in PostgreSQL, for every process of the schema.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../backend.ts";
import type { Database } from "./database.ts";

/** Keeps messages in the table `streams`. */
export class PostgresStreams implements StreamStore {
  readonly #database: Database;

  /** Takes the database. */
  constructor(database: Database) {
    this.#database = database;
  }

  /** Keeps a message. */
  async append(stream: string, { id, text }: StreamEvent, ttl: number): Promise<void> {
    await this.#database.run({
      name: "mcp_jobs_append",
      text: `INSERT INTO ${this.#database.schema}.streams VALUES ($1, $2, $3, now() + $4::float8 * interval '1 ms')
        ON CONFLICT (stream, id) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at`,
    }, [stream, id, text, ttl]);
  }

  /** Reads the messages after an id. */
  async readAfter(stream: string, id: string): Promise<readonly StreamEvent[]> {
    return await this.#database.run<StreamEvent>({
      name: "mcp_jobs_read_after",
      text: `SELECT id, body AS text FROM ${this.#database.schema}.streams
        WHERE stream = $1 AND id > $2 AND expires_at > now() ORDER BY id`,
    }, [stream, id]);
  }

  /** Deletes a stream. */
  async clear(stream: string): Promise<void> {
    await this.#database.run({ text: `DELETE FROM ${this.#database.schema}.streams WHERE stream = $1` }, [stream]);
  }
}
