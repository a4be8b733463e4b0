/**
 * The audit log: who created, cancelled and read which task, and what was refused.
 *
 * @module
 */

import type { Answers } from "../questions/open.ts";
import type { Answer } from "../task.ts";

/** One event of the audit log. It contains no input, no result and no token. */
export interface AuditEvent {
  /** When, as ISO 8601. */
  readonly at: string;
  /** What happened. */
  readonly event:
    | "created"
    | "found"
    | "answered"
    | "expired"
    | "cancelled"
    | "result_read"
    | "log_read"
    | "session_begun"
    | "session_deleted"
    | "refused";
  /** The principal of the request, or the owner of a question that has expired; absent if the caller is not known. */
  readonly principal?: string;
  /** The OAuth client of the request, as `authenticate` returns it. */
  readonly client?: string;
  /** The address of the sender: behind a proxy, the proxy's. */
  readonly address?: string;
  /** The first 8 characters of the id of its 2025-11-25 session: enough to tell sessions apart, too few to use one. */
  readonly session?: string;
  /** What was requested; `"request"` for an invalid request, or one for a method that does not exist. */
  readonly operation:
    | "create"
    | "read"
    | "result"
    | "log"
    | "cancel"
    | "answer"
    | "list"
    | "authenticate"
    | "session"
    | "request";
  /** The task's id as the caller sent it, cut after 64 characters. */
  readonly task?: string;
  /** The job's name, if it is known. */
  readonly job?: string;
  /** The key of the question that was answered, or has expired; the answer itself is not in the log. */
  readonly question?: string;
  /** The `action` of the answer: the person has answered, declined or did not decide. */
  readonly action?: Answer["action"];
  /**
   * Who gave the answer: the person whom a client asked, a model that passed on what the person said, or `"nobody"`, if the
   * server cancelled the question because the client cannot ask.
   */
  readonly answeredBy?: "person" | "model" | "nobody";
  /**
   * Why it was refused, cut after 500 characters; for an input that does not fit, only that it does not. Or why a
   * task was cancelled or created without a request of its owner.
   */
  readonly reason?: string;
}

/** Where a request comes from, as far as it is known. */
export type AuditSource = Pick<AuditEvent, "client" | "address" | "session">;

/** The events of answers to the questions of a job. */
export function answeredBy(
  by: NonNullable<AuditEvent["answeredBy"]>,
  job: string,
  answers: Answers,
): readonly Pick<AuditEvent, "event" | "job" | "question" | "action" | "answeredBy">[] {
  return Object.entries(answers).map(([question, { action }]) => ({
    event: "answered",
    job,
    question,
    action,
    answeredBy: by,
  }));
}

/** The longest reason, in UTF-16 units. */
export const LONGEST_REASON = 500;

/** Receives each event as it happens. It must be quick, and must not throw. */
export type Audit = (event: AuditEvent) => void;
