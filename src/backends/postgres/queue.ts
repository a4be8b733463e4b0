/**
 * The tasks in PostgreSQL that wait for one worker. What is found is claimed in the same statement: it stores who has
 * claimed the tasks and when, and `record.ts` derives the rest wherever they are read.
 *
 * @module
 */
import type { Json } from "../../task.ts";
import type { TaskRecord } from "../shared/record.ts";
import { moreOf } from "../shared/job_limits.ts";
import type { Queue, Worker } from "../shared/store/store.ts";
import type { Database } from "./connecting/database.ts";
import { stateOf } from "./operating/states.ts";
import { type PgEntry, recordOf } from "./rows.ts";
import { claimStatement, limitedClaimStatement } from "./tables/claim.ts";
import type { Writer } from "./writer.ts";

/** The most delayed tasks that are made ready at once. */
const MAX_PROMOTED = 100;

/** What a claim returns: how many places of the queue it has taken, when, and the tasks in order, as JSON. */
interface ClaimRow {
  readonly found: number;
  /** `null`: a job was paused meanwhile, and nothing was claimed. */
  readonly at: number | null;
  readonly tasks: string | null;
}

/** What a claim of a job with limits returns in addition. */
interface LimitedRow extends ClaimRow {
  /** How many more might begin before this claim; `null`: other processes have claimed tasks of the job meanwhile. */
  readonly free: number | null;
  /** How long until the rate allows another, in ms. */
  readonly pause: number | null;
}

/** A claimed task: its version, its record from before the claim, and its input unless that is large. */
type Claimed = readonly [version: number, record: TaskRecord, input?: Json];

export function queueOf({ run, schema }: Database, writer: Writer, { name: worker }: Worker): Queue<PgEntry> {
  /** The jobs whose limits have a row. */
  const known = new Set<string>();
  const claim = { name: "mcp_jobs_claim", text: claimStatement(schema) };
  const limitedClaim = { name: "mcp_jobs_claim_limited", text: limitedClaimStatement(schema) };
  const claimed = ({ at, tasks }: ClaimRow): readonly PgEntry[] => {
    const claims: readonly Claimed[] = JSON.parse(tasks ?? "[]");
    const entries = claims.map(([version, stored, input]) => ({
      version,
      state: stateOf(stored.info),
      record: recordOf(stored, worker, at),
      input,
    }));
    writer.claimed(entries.map(({ record }) => record.info));
    return entries;
  };
  return {
    claimsCost: true,
    async promote() {
      const [row] = await run<{ due: number | null }>({ name: "mcp_jobs_promote", text: promoteStatement(schema) });
      return row?.due ?? undefined;
    },
    async ready(max, _held, jobs) {
      const [row] = await run<ClaimRow>(claim, [writer.name, worker, jobs, max]);
      if (row === undefined) return { entries: [], more: false };
      return { entries: claimed(row), more: row.at === null || row.found === max };
    },
    async limited(max, _held, job, { concurrency, rateLimit }) {
      if (!known.has(job)) {
        await run({ text: `INSERT INTO ${schema}.limits (job) VALUES ($1) ON CONFLICT DO NOTHING` }, [job]);
        known.add(job);
      }
      const limits = [concurrency ?? null, rateLimit?.max ?? null, rateLimit?.per ?? null];
      const [row] = await run<LimitedRow>(limitedClaim, [writer.name, worker, job, max, ...limits]);
      if (row === undefined) return { entries: [], more: false, full: false };
      const { free, found, pause } = row;
      if (free === null) return { entries: [], more: true, full: false };
      const more = moreOf(found === Math.min(max, free), max, free, { concurrency, rateLimit });
      return { entries: claimed(row), ...more, pause: pause ?? undefined };
    },
    async waiting(jobs) {
      const rows = await run<{ job: string }>({
        name: "mcp_jobs_ready",
        text: `SELECT job FROM unnest($1::text[]) AS job, LATERAL (
          SELECT FROM ${schema}.queue WHERE queue.job = job.job AND NOT delayed LIMIT 1
        ) AS first`,
      }, [jobs]);
      return rows.map(({ job }) => job);
    },
  };
}

/** Makes ready what is due, and tells when the next one is. */
function promoteStatement(schema: string): string {
  return `
WITH due AS MATERIALIZED (
  SELECT ctid AS place FROM ${schema}.queue WHERE delayed AND due_at <= now()
  ORDER BY due_at LIMIT ${MAX_PROMOTED} FOR UPDATE SKIP LOCKED
), ready AS (
  UPDATE ${schema}.queue SET delayed = false WHERE ctid = ANY(ARRAY(SELECT place FROM due))
)
SELECT (extract(epoch FROM min(due_at)) * 1000)::float8 AS due FROM ${schema}.queue
WHERE delayed AND NOT ctid = ANY(ARRAY(SELECT place FROM due))`;
}
