/**
 * Documents in PostgreSQL. A change and its event are one statement.
 *
 * @module
 */
import type { NamedDocument } from "../../../backend.ts";
import type { Store } from "../../shared/store/store.ts";
import type { Database } from "../connecting/database.ts";
import type { Writer } from "../writer.ts";

export function documentsIn({ run, schema }: Database, writer: Writer): Store["documents"] {
  const read = async (name: string) => {
    const [row] = await run<{ body: string }>({
      name: "mcp_jobs_document",
      text: `SELECT body FROM ${schema}.documents WHERE name = $1`,
    }, [name]);
    return row?.body;
  };
  return {
    read,
    async list(prefix) {
      const rows = await run<NamedDocument>({
        name: "mcp_jobs_documents",
        text: `SELECT name, body AS text FROM ${schema}.documents WHERE name >= $1 AND starts_with(name, $1)`,
      }, [prefix]);
      return [...rows].sort((a, b) => a.name < b.name ? -1 : 1);
    },
    async write(name, from, to) {
      if (from === to) return await read(name) === from;
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
      return await writer.changeDocument({ ...statement, values: [name, from ?? null, to ?? null, writer.name] }, name);
    },
  };
}
