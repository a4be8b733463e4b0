/**
 * Documents in PostgreSQL. A change and its event are one statement.
 *
 * @module
 */
import type { DocumentStore, NamedDocument } from "../../../backend.ts";
import type { Database } from "../database.ts";
import type { Announcer } from "../writer.ts";

/** Keeps documents in the table `documents`. */
export class PgDocuments implements Omit<DocumentStore, "watch"> {
  readonly #database: Database;
  readonly #writer: string;
  readonly #changed: (name: string) => void;
  readonly #log: Announcer;

  /**
   * `writer` is the name under which this process writes events. `changed` is called after each change.
   */
  constructor(database: Database, writer: string, changed: (name: string) => void, log: Announcer) {
    this.#database = database;
    this.#writer = writer;
    this.#changed = changed;
    this.#log = log;
  }

  async read(name: string): Promise<string | undefined> {
    const [row] = await this.#database.run<{ body: string }>({
      name: "mcp_jobs_document",
      text: `SELECT body FROM ${this.#database.schema}.documents WHERE name = $1`,
    }, [name]);
    return row?.body;
  }

  async list(prefix: string): Promise<readonly NamedDocument[]> {
    const rows = await this.#database.run<NamedDocument>({
      name: "mcp_jobs_documents",
      text: `SELECT name, body AS text FROM ${this.#database.schema}.documents
        WHERE name >= $1 AND starts_with(name, $1)`,
    }, [prefix]);
    return [...rows].sort((a, b) => a.name < b.name ? -1 : 1);
  }

  async write(name: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    if (from === to) return await this.read(name) === from;
    const { schema, run } = this.#database;
    const changes = {
      add: `INSERT INTO ${schema}.documents VALUES ($1, $3) ON CONFLICT DO NOTHING`,
      replace: `UPDATE ${schema}.documents SET body = $3 WHERE name = $1 AND body = $2`,
      delete: `DELETE FROM ${schema}.documents WHERE name = $1 AND body = $2`,
    };
    const kind = from === undefined ? "add" : to === undefined ? "delete" : "replace";
    const statement = {
      name: `mcp_jobs_document_${kind}`,
      text: `WITH given AS (SELECT $2::text, $3::text), changed AS (${changes[kind]} RETURNING name)
        INSERT INTO ${schema}.events (writer, tasks, document) SELECT $4, '[]', name FROM changed RETURNING seq`,
    };
    const writing = run(statement, [name, from ?? null, to ?? null, this.#writer], this.#log.notification(new Set()));
    const rows = await writing.catch((error) => {
      this.#log.unsure();
      throw error;
    });
    if (rows.length > 0) this.#changed(name);
    return rows.length > 0;
  }
}
