/**
 * What failures of PostgreSQL mean, and what to do about them.
 *
 * @module
 */
import { BackendError, JobsError } from "../../../errors.ts";
import { messageOf } from "../../../text.ts";

/** Whether an error says that the server is away, so that other calls would wait for it as long. */
export function isAway(error: unknown): boolean {
  return error instanceof BackendError && /^connect |terminated|timeout exceeded/.test(messageOf(error.cause));
}

/** Whether a connection was lost on which a statement was under way, so that nobody knows whether it was carried out. */
export function isCut(error: unknown): boolean {
  if (!(error instanceof BackendError)) return false;
  return CUT.test(`${codeOf(error.cause)} ${messageOf(error.cause)}`);
}

const CUT = /^(ECONNRESET|EPIPE|57P01|57P02) | Connection terminated( unexpectedly)?$/;

/**
 * Whether a new connection found no server: without an answer in time, which is an error without a code, or without a way
 * there. A server that refuses it, or reports anything, is there.
 */
export function isUnreachable(error: unknown): boolean {
  return ["", "EHOSTUNREACH", "ENETUNREACH"].includes(codeOf(error));
}

/** The error for a failure of PostgreSQL, with what to do. The texts of PostgreSQL contain no password. */
export function failure(cause: unknown, what: string = "PostgreSQL failed"): unknown {
  if (cause instanceof JobsError) return cause;
  const text = messageOf(cause);
  const advice = ADVICE.find(([when]) => when.test(`${codeOf(cause)} ${text}`))?.[1];
  return new BackendError(`${what}: ${text}${advice === undefined ? "" : `. ${advice}`}`, { cause });
}

/** The SQLSTATE of an error, or the code of a socket's error. */
export function codeOf(error: unknown): string {
  return typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
}

/** What to do about a failure, by its code and text. */
const ADVICE: readonly (readonly [when: RegExp, advice: string])[] = [
  [/^(28P01|28000) /, "Check the user and the password of the URL, and whether pg_hba.conf lets this user in."],
  [/password must be a string/, "The server asks for a password: write it into the URL."],
  [/^3D000 /, "Create the database, or correct its name in the URL."],
  [/^42501 /, "Grant this user the rights that docs/postgres.md lists."],
  [/^(42P01|3F000) /, "Run mcp-jobs migrate, or PostgresBackend.migrate, with the same URL and schema."],
  [/^53300 /, "Raise max_connections of the server or the limit of this user, or lower `pool`."],
  [/^(42P05|26000) /, "Behind a pooler that lends connections for one transaction, pass `listen: false`."],
  [/lends its connections/, "Pass `listen: false`, or let the pooler lend them for a session."],
  [/startup parameter.*options/, "Add `options` to ignore_startup_parameters of the pooler, or pass `listen: false`."],
  [
    /^25006 /,
    "Connect to the primary server, not to a replica; some hosts make a database read-only when its disk is nearly full.",
  ],
  [
    /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT connect) |connection timeout|terminated unexpectedly|not queryable/,
    "Check that a PostgreSQL runs at the URL's host and port.",
  ],
  [
    /Query read timeout|timeout exceeded/,
    "The server is overloaded or cannot be reached, or another session holds a lock: see pg_stat_activity.",
  ],
  [
    /^57014 /,
    "The server is overloaded, or another session holds a lock: see pg_stat_activity.",
  ],
  [/does not support SSL/, "Let the server use TLS, or leave `sslmode` out of the URL."],
  [
    /certificate|altnames/,
    "Name the certificate of its authority in the URL: sslmode=verify-full&sslrootcert=FILE; docs/postgres.md says more.",
  ],
  [/getaddrinfo EPERM/, "Give Deno the permission --allow-net=<host>:<port>."],
  [/^\S* ?URI malformed$/, "Percent-encode special characters of the password."],
];
