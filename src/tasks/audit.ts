/**
 * The audit log: who created, cancelled and read what, and who was refused what.
 *
 * @module
 */

/** One line of the audit log. It holds no input, no result and no token. */
export interface AuditEvent {
  /** When, as ISO 8601. */
  readonly at: string;
  /** What happened. */
  readonly event: "created" | "cancelled" | "result_read" | "session_begun" | "session_deleted" | "refused";
  /** The principal who asked; absent where nobody knows who it was. */
  readonly principal?: string;
  /** The OAuth client that the request was sent with, as `authenticate` says. */
  readonly client?: string;
  /** The address that the request came from: behind a proxy, the proxy's. */
  readonly address?: string;
  /** The first 8 characters of the id of its 2025-11-25 session: enough to tell sessions apart, and no key to one. */
  readonly session?: string;
  /** What was asked for; `"request"` where a request is none, or one of a method that does not exist. */
  readonly operation:
    | "create"
    | "read"
    | "result"
    | "cancel"
    | "answer"
    | "list"
    | "authenticate"
    | "session"
    | "request";
  /** The task's id, as the caller gave it, cut after 64 characters. */
  readonly task?: string;
  /** The job's name, where it is known. */
  readonly job?: string;
  /**
   * Why it was refused, cut after 500 characters; of an input that does not fit it says only that. Of a task that was
   * cancelled without being asked for: why.
   */
  readonly reason?: string;
}

/** Where a request comes from, as far as that is known. */
export type AuditSource = Pick<AuditEvent, "client" | "address" | "session">;

/** The longest reason, in UTF-16 units. */
export const LONGEST_REASON = 500;

/** Hears each event as it happens; it must be quick, and must not throw. */
export type Audit = (event: AuditEvent) => void;
