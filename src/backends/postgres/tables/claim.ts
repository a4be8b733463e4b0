/**
 * The statements that claim tasks, with and without limits of their job.
 *
 * @module
 */

import { alive, claimsNoted, isPaused } from "./parts.ts";

/** Inputs up to this size come with the task, in bytes; larger ones are read one by one. */
const SMALL_INPUT = 65_536;

/**
 * Claims what is ready, of all jobs together the most urgent first, unless the worker's lease has run out. A task that has
 * changed since it was queued only leaves the queue. Parameters: the writer of events, the worker, jobs, the most tasks.
 *
 * It returns no row if the lease has run out, and one without a time if a job was paused since the claim began: then it has
 * claimed nothing, because it may not know of the pause, and the worker tries again.
 */
export function claimStatement(schema: string): string {
  return `
WITH ${alive(schema, "name = $2::uuid")}, open AS MATERIALIZED (
  SELECT job FROM unnest($3::text[]) AS job WHERE NOT ${isPaused(schema, "job")}
), found AS MATERIALIZED (
  SELECT ready.*, at FROM open, alive, ${ready(schema, "open.job", "$4::integer")}
  ORDER BY priority, due_at, id LIMIT $4::integer
), ${taken(schema)}
SELECT ${FOUND} FROM leased LEFT JOIN alive ON true`;
}

/**
 * The same for one job with limits, which are the last three parameters: the most tasks at once, the most claims in a window,
 * and its length in ms; NULL: no limit. The rows of the claimed tasks say which are still held, so the write that ends, parks
 * or hands back a task also frees its slot.
 *
 * Claims of a job lock its row one after the other, but each sees the tasks as they were when it began. So it claims nothing
 * if the row has changed since, and the worker tries again. Ends of tasks that it does not see only make room. A window that
 * began after this claim read the time is the current one, too; one that is further ahead was begun before a clock was set back.
 */
export function limitedClaimStatement(schema: string): string {
  return `
WITH ${alive(schema, "name = $2::uuid")}, locked AS MATERIALIZED (
  SELECT * FROM ${schema}.limits WHERE job = $3::text FOR UPDATE
), held AS MATERIALIZED (
  SELECT tasks.id FROM locked, unnest(claimed) AS one (id), ${schema}.tasks WHERE tasks.id = one.id AND holder IS NOT NULL
), now AS MATERIALIZED (
  SELECT at, CASE WHEN past THEN at ELSE since END AS since, CASE WHEN past THEN 0 ELSE begun END AS begun
  FROM alive, (SELECT *, coalesce(abs((SELECT at FROM alive) - since) >= $7::float8, true) AS past FROM locked) AS locked
  WHERE changes = (SELECT changes FROM ${schema}.limits WHERE job = $3::text)
), room AS MATERIALIZED (
  SELECT *, greatest(0, least($5::integer - (SELECT count(*) FROM held), $6::integer - begun, 1000000))::integer AS free
  FROM now
), found AS MATERIALIZED (
  SELECT ready.*, at FROM room, ${ready(schema, "$3::text", "least($4::integer, room.free)")}
  WHERE NOT ${isPaused(schema, "$3")}
), ${taken(schema)}, counted AS (
  UPDATE ${schema}.limits SET changes = changes + 1, since = room.since,
    claimed = ARRAY(SELECT id FROM held UNION SELECT id FROM taken),
    begun = room.begun + (SELECT count(*) FROM taken)
  FROM room WHERE job = $3::text AND EXISTS (SELECT FROM taken)
)
SELECT ${FOUND}, free, CASE WHEN room.begun >= $6::integer THEN since + $7::float8 - room.at END AS pause
FROM leased LEFT JOIN alive ON true LEFT JOIN room ON true`;
}

function ready(schema: string, job: string, most: string): string {
  return `LATERAL (
    SELECT ctid AS place, priority, due_at, id, version FROM ${schema}.queue WHERE job = ${job} AND NOT delayed
    ORDER BY priority, due_at, id LIMIT ${most} FOR UPDATE SKIP LOCKED
  ) AS ready`;
}

/** Claims what was found, lists it with the worker, and adds the event. */
function taken(schema: string): string {
  return `gone AS (
  DELETE FROM ${schema}.queue WHERE ctid = ANY(ARRAY(SELECT place FROM found))
), taken AS (
  UPDATE ${schema}.tasks SET version = tasks.version + 1, holder = $2::uuid, claimed_at = at
  FROM (SELECT * FROM found ORDER BY id) AS found WHERE tasks.id = found.id AND tasks.version = found.version
  RETURNING tasks.id, tasks.version, record, priority, due_at, holder AS worker, at,
    CASE WHEN octet_length(input) <= ${SMALL_INPUT} THEN ',' || input ELSE '' END AS input
), ${claimsNoted(schema, "taken")}`;
}

const FOUND = `(SELECT count(*)::integer FROM found) AS found, alive.at, '[' || (
  SELECT string_agg('[' || version || ',' || record || input || ']', ',' ORDER BY priority, due_at, id) FROM taken
) || ']' AS tasks`;
