/**
 * Our tables and functions on PostgreSQL, in BullMQ's own schema, beside its table `job`. Each function is one
 * transaction, and locks the job that it decides about: so a cancel and an end of a job exclude each other.
 *
 * @module
 */

/** The schema of BullMQ, and of ours. */
export const SCHEMA = "bullmq";

/** Makes what is not there yet. Runs after BullMQ's migrations, with its schema first in the search path. */
export const DDL = `
CREATE TABLE IF NOT EXISTS mcp_jobs_task (
  id text PRIMARY KEY,
  queue text NOT NULL,
  job text NOT NULL,
  owner text NOT NULL,
  ttl bigint NOT NULL,
  created_at bigint NOT NULL,
  attempts integer NOT NULL,
  delayed boolean NOT NULL,
  -- jsonb, as BullMQ stores it, knows no NUL and no order of keys.
  input text,
  changes integer NOT NULL DEFAULT 0,
  changed_at bigint NOT NULL DEFAULT 0,
  seen text,
  stop boolean NOT NULL DEFAULT false,
  work text,
  work_at bigint,
  work_attempt integer,
  work_progress json,
  work_run integer,
  gone_at bigint,
  fault text,
  abandoned boolean NOT NULL DEFAULT false,
  questions json NOT NULL DEFAULT '[]',
  answers json NOT NULL DEFAULT '{}',
  expired boolean NOT NULL DEFAULT false,
  look_at bigint NOT NULL
);
ALTER TABLE mcp_jobs_task ADD COLUMN IF NOT EXISTS handed_back integer;
ALTER TABLE mcp_jobs_task ADD COLUMN IF NOT EXISTS hand_backs integer NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS mcp_jobs_task_owner ON mcp_jobs_task (owner, id COLLATE "C") WHERE NOT expired;
CREATE INDEX IF NOT EXISTS mcp_jobs_task_look ON mcp_jobs_task (look_at);

CREATE TABLE IF NOT EXISTS mcp_jobs_result (
  id text NOT NULL REFERENCES mcp_jobs_task ON DELETE CASCADE,
  run integer NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (id, run)
);

CREATE TABLE IF NOT EXISTS mcp_jobs_queue (name text PRIMARY KEY);

CREATE OR REPLACE FUNCTION mcp_jobs_tell(p_queue text, p_id text) RETURNS void LANGUAGE sql
SET search_path FROM CURRENT AS $$
  SELECT publish_event(p_queue, 'mcp-jobs', jsonb_build_object('jobId', p_id))
$$;

-- Keeps a queue in mind. All are told of one that is new, once this is committed.
CREATE OR REPLACE FUNCTION mcp_jobs_know(p_queue text) RETURNS void LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN
  IF EXISTS (SELECT FROM mcp_jobs_queue WHERE name = p_queue) THEN RETURN; END IF;
  INSERT INTO mcp_jobs_queue VALUES (p_queue) ON CONFLICT DO NOTHING;
  PERFORM pg_notify('mcp_jobs', 'queue 0 ' || p_queue);
END $$;

-- Where tasks stand. A worker that knows nothing of us counts no changes, so who sees one counts it.
-- Only index lookups: a plan that is made while the tables are small would read them whole when they have grown.
CREATE OR REPLACE FUNCTION mcp_jobs_read(p_ids text[], p_owners text[], p_now bigint) RETURNS SETOF json LANGUAGE plpgsql
SET search_path FROM CURRENT SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
  -- A task of another owner is not looked at.
  p_ids := ARRAY(SELECT t.id FROM unnest(p_ids, p_owners) AS wanted(id, owner)
    JOIN mcp_jobs_task t ON t.id = wanted.id AND wanted.owner IN ('', t.owner));
  -- What is to be updated is locked in one order, so that two servers that read the same tasks cannot block each other.
  PERFORM FROM mcp_jobs_task t LEFT JOIN job j ON j.queue = t.queue AND j.id = t.id
    WHERE t.id = ANY (p_ids) AND (j.id IS NULL AND t.gone_at IS NULL
      OR j.state = 'active' AND j.progress IS NOT NULL AND t.seen IS DISTINCT FROM md5(j.progress::text))
    ORDER BY t.id FOR UPDATE OF t;
  IF FOUND THEN
    UPDATE mcp_jobs_task t SET seen = md5(j.progress::text), changes = t.changes + 1, changed_at = p_now
      FROM job j WHERE t.id = ANY (p_ids) AND j.queue = t.queue AND j.id = t.id AND j.state = 'active'
        AND j.progress IS NOT NULL AND t.seen IS DISTINCT FROM md5(j.progress::text);
    UPDATE mcp_jobs_task t SET gone_at = p_now
      WHERE t.id = ANY (p_ids) AND t.work IS NULL AND t.gone_at IS NULL AND NOT t.expired
        AND NOT EXISTS (SELECT FROM job j WHERE j.queue = t.queue AND j.id = t.id);
  END IF;
  RETURN QUERY SELECT json_build_object(
    'id', t.id, 'readAt', p_now, 'queue', t.queue, 'job', t.job, 'owner', t.owner, 'resultTtl', t.ttl, 'createdAt', t.created_at,
    'attempts', t.attempts, 'delayed', t.delayed, 'changes', t.changes,
    'changedAt', t.changed_at, 'questions', t.questions, 'stopRequested', t.stop, 'expired', t.expired,
    'cancelled', CASE WHEN t.work IS NULL THEN NULL
      ELSE json_strip_nulls(json_build_object('work', t.work, 'at', t.work_at, 'attempt', t.work_attempt,
        'progress', t.work_progress, 'started', t.work_run)) END,
    'goneAt', t.gone_at, 'handedBack', t.handed_back, 'handBacks', t.hand_backs, 'fault', t.fault::json, 'state', coalesce(j.state::text, 'unknown'),
    'dueAt', CASE WHEN j.state = 'delayed' THEN j.process_at_ms END, 'processedOn', j.processed_at_ms,
    'finishedOn', j.finished_at_ms, 'started', coalesce(j.attempts_started, 0),
    'ended', coalesce(j.attempts_made, 0), 'stalled', coalesce(j.stalled_count, 0), 'progress', j.progress,
    'failedReason', j.failed_reason)
    FROM mcp_jobs_task t LEFT JOIN job j ON j.queue = t.queue AND j.id = t.id WHERE t.id = ANY (p_ids);
END $$;

-- With 'ask' a job that runs is only asked to stop. Gives 'unknown', 'finished', 'asked', 'cancelled' for a job that
-- still runs, or 'remove' for one that does not.
CREATE OR REPLACE FUNCTION mcp_jobs_cancel(p_id text, p_mode text, p_now bigint) RETURNS text LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
DECLARE
  t mcp_jobs_task;
  j job;
BEGIN
  SELECT * INTO t FROM mcp_jobs_task WHERE id = p_id FOR UPDATE;
  IF NOT FOUND THEN RETURN 'unknown'; END IF;
  IF t.work IS NOT NULL THEN RETURN 'finished'; END IF;
  SELECT * INTO j FROM job WHERE queue = t.queue AND id = p_id FOR UPDATE;
  IF NOT FOUND OR j.state IN ('completed', 'failed') THEN RETURN 'finished'; END IF;
  IF j.state = 'active' AND p_mode = 'ask' THEN
    IF NOT t.stop THEN
      UPDATE mcp_jobs_task SET stop = true, changes = changes + 1, changed_at = p_now WHERE id = p_id;
      PERFORM mcp_jobs_tell(t.queue, p_id);
    END IF;
    PERFORM pg_notify('mcp_jobs', 'stop ' || p_id);
    RETURN 'asked';
  END IF;
  UPDATE mcp_jobs_task SET
    work = CASE
      WHEN j.state <> 'active' AND j.attempts_started = 0 THEN 'never_started'
      WHEN t.abandoned THEN 'stop_requested'
      WHEN j.state = 'active' THEN p_mode
      ELSE 'stopped' END,
    work_at = p_now,
    -- Code that runs on may say more, and the job may be gone: this is how far it was.
    work_progress = j.progress,
    work_run = j.attempts_started,
    work_attempt = j.attempts_made + j.stalled_count + CASE WHEN j.state = 'active' THEN 1 ELSE 0 END
    WHERE id = p_id;
  -- BullMQ's own mark: whichever worker takes the job, before it is removed or again, fails it at once.
  UPDATE job SET deferred_failure = 'The task was cancelled.' WHERE queue = t.queue AND id = p_id;
  PERFORM mcp_jobs_tell(t.queue, p_id);
  RETURN CASE WHEN j.state = 'active' THEN 'cancelled' ELSE 'remove' END;
END $$;

-- Gives the answer if there is one.
CREATE OR REPLACE FUNCTION mcp_jobs_ask(p_id text, p_key text, p_question json, p_now bigint) RETURNS json
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  t mcp_jobs_task;
BEGIN
  SELECT * INTO t FROM mcp_jobs_task WHERE id = p_id FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  IF t.answers -> p_key IS NOT NULL THEN RETURN t.answers -> p_key; END IF;
  IF EXISTS (SELECT FROM json_array_elements(t.questions) q WHERE q ->> 'key' = p_key) THEN RETURN NULL; END IF;
  UPDATE mcp_jobs_task SET changes = changes + 1, changed_at = p_now, questions =
    (SELECT json_agg(q) FROM (SELECT json_array_elements(t.questions) q UNION ALL SELECT p_question) a)
    WHERE id = p_id;
  PERFORM mcp_jobs_tell(t.queue, p_id);
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION mcp_jobs_answer(p_id text, p_answers json, p_now bigint) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
  t mcp_jobs_task;
BEGIN
  SELECT * INTO t FROM mcp_jobs_task WHERE id = p_id FOR UPDATE;
  IF NOT FOUND OR t.work IS NOT NULL THEN RETURN; END IF;
  IF NOT EXISTS (SELECT FROM job WHERE queue = t.queue AND id = p_id AND state NOT IN ('completed', 'failed')) THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM json_array_elements(t.questions) q WHERE p_answers -> (q ->> 'key') IS NOT NULL) THEN
    RETURN;
  END IF;
  UPDATE mcp_jobs_task SET changes = changes + 1, changed_at = p_now,
    questions = (SELECT coalesce(json_agg(q), '[]') FROM json_array_elements(t.questions) q
      WHERE p_answers -> (q ->> 'key') IS NULL),
    answers = (SELECT json_object_agg(key, value) FROM (
      SELECT * FROM json_each(t.answers)
      UNION ALL SELECT q ->> 'key', p_answers -> (q ->> 'key') FROM json_array_elements(t.questions) q
        WHERE p_answers -> (q ->> 'key') IS NOT NULL) a)
    WHERE id = p_id;
  PERFORM mcp_jobs_tell(t.queue, p_id);
  PERFORM pg_notify('mcp_jobs', 'answer ' || p_id);
END $$;
`;
