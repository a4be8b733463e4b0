/**
 * Message streams in PostgreSQL, for every process of the schema. Messages of the same moment become one statement.
 *
 * @module
 */
import type { StreamEvent, StreamStore } from "../../../backend.ts";
import type { Database } from "../connecting/database.ts";
import { writing } from "../writer.ts";
import { arraysOf, type Column, inputOf } from "./rows_in.ts";

interface Message extends StreamEvent {
  readonly stream: string;
  /** How long it is kept, in ms. */
  readonly ttl: number;
}

const COLUMNS: readonly Column<Message>[] = [
  ["stream", "text", ({ stream }) => stream],
  ["id", "text", ({ id }) => id],
  ["body", "text", ({ text }) => text],
  ["ttl", "float8", ({ ttl }) => ttl],
];

export function streamsIn({ run, schema }: Pick<Database, "run" | "schema">): StreamStore {
  const appendMany = async (messages: readonly Message[]): Promise<readonly void[]> => {
    // One statement cannot write a row twice.
    const rows = [...new Map(messages.map((one) => [`${one.stream} ${one.id}`, one])).values()];
    await run({
      name: "mcp_jobs_append",
      text: `WITH ${inputOf(COLUMNS, 1)}
        INSERT INTO ${schema}.streams SELECT stream, id, body, now() + ttl * interval '1 ms' FROM input
        ON CONFLICT (stream, id) DO UPDATE SET body = excluded.body, expires_at = excluded.expires_at`,
    }, arraysOf(COLUMNS, rows));
    return [];
  };
  const append = writing(appendMany, ({ text }) => text.length);
  return {
    append: (stream, event, ttl) => append({ ...event, stream, ttl }),
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
