/**
 * The recorded steps of tasks in PostgreSQL. Steps that are recorded at the same moment become one statement.
 *
 * @module
 */
import type { RecordedStep } from "../../../backend.ts";
import type { Store } from "../../shared/store/store.ts";
import type { Database } from "../connecting/database.ts";
import type { PgEntry } from "../rows.ts";
import { writing } from "../writer.ts";
import { arraysOf, type Column, inputOf } from "./rows_in.ts";

interface Recording extends RecordedStep {
  readonly id: string;
  /** The version at which the task was read. */
  readonly version: number;
}

const COLUMNS: readonly Column<Recording>[] = [
  ["id", "uuid", ({ id }) => id],
  ["version", "integer", ({ version }) => version],
  ["number", "integer", ({ index }) => index],
  ["body", "text", ({ text }) => text],
];

export function stepsIn({ run, schema }: Database): Pick<Store<PgEntry>, "steps" | "record" | "forget"> {
  const recordMany = async (steps: readonly Recording[]): Promise<readonly boolean[]> => {
    const statement = { name: "mcp_jobs_record", text: recordStatement(schema) };
    const rows = await run<{ id: string; number: number }>(statement, arraysOf(COLUMNS, steps));
    const done = new Set(rows.map(({ id, number }) => `${id} ${number}`));
    return steps.map(({ id, index }) => done.has(`${id} ${index}`));
  };
  const record = writing(recordMany, ({ text }) => text.length);
  return {
    steps: ({ record: { info } }) =>
      run<RecordedStep>({
        name: "mcp_jobs_steps",
        text: `SELECT number AS index, body AS text FROM ${schema}.steps WHERE id = $1::uuid ORDER BY number`,
      }, [info.id]),
    record: ({ record: { info: { id } }, version }, step) => record({ ...step, id, version }),
    async forget({ record: { info } }, from) {
      await run({
        name: "mcp_jobs_forget",
        text: `DELETE FROM ${schema}.steps WHERE id = $1::uuid AND number >= $2`,
      }, [info.id, from]);
    },
  };
}

/** Locks the tasks, in the order of their ids, so that none of them changes before its step is stored. */
function recordStatement(schema: string): string {
  return `
WITH ${inputOf(COLUMNS, 1)}, held AS MATERIALIZED (
  SELECT id, version FROM ${schema}.tasks WHERE id IN (SELECT id FROM input) ORDER BY id FOR SHARE
)
INSERT INTO ${schema}.steps (id, number, body)
SELECT id, number, body FROM input JOIN held USING (id, version)
ON CONFLICT (id, number) DO UPDATE SET body = excluded.body RETURNING id, number`;
}
