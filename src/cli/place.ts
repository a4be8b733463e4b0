/**
 * Opens the backend that the options name.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { BullMqBackend } from "../backends/bullmq/mod.ts";
import { DenoKvBackend } from "../backends/kv/mod.ts";
import { PostgresBackend } from "../backends/postgres/mod.ts";
import { BackendError } from "../errors.ts";
import { type Options, UsageError, type Values } from "./command.ts";
import { text } from "./option.ts";

/** The options that say where the tasks are. */
export const PLACE = {
  kv: text("PATH", "the Deno KV file; default: MCP_JOBS_KV in the environment"),
  redis: text("URL", "the Redis, as redis://user:password@host:port/database; default: REDIS_URL"),
  postgres: text("URL", "the PostgreSQL, as postgres://user:password@host:port/database; default: POSTGRES_URL"),
  prefix: text("PREFIX", "with Redis: the prefix of BullMQ's keys; default: bull"),
  schema: text("SCHEMA", "with PostgreSQL: the schema of the tables; default: mcp_jobs"),
} as const satisfies Options;

/** The environment variables that may replace an option: all users of the machine can see a URL on a command line. */
const VARIABLES = { kv: "MCP_JOBS_KV", redis: "REDIS_URL", postgres: "POSTGRES_URL" } as const;

const KINDS = ["kv", "redis", "postgres"] as const;
const PASS = "Pass one of --kv PATH, --redis URL and --postgres URL";

/** Where the tasks are: one of the three stores, with its options. */
type Place = Partial<Values<typeof PLACE>>;

/**
 * Opens a backend; with `migrates`, its tables are made or updated before. Rejects as `placeOf` throws, and with
 * `BackendError` if it cannot be opened.
 */
export async function openPlace(
  options: Values<typeof PLACE>,
  variable: (name: string) => string | undefined,
  migrates: boolean = false,
): Promise<Backend> {
  const { kv, redis, postgres, prefix, schema } = placeOf(options, variable);
  if (migrates) {
    if (postgres === undefined) throw new UsageError("only PostgreSQL has tables: KV and Redis need no migration.");
    await PostgresBackend.migrate({ url: postgres, schema });
  }
  if (redis !== undefined) return await BullMqBackend.connect({ redis, prefix });
  // So it also works through a pooler that lends connections for one transaction.
  if (postgres !== undefined) return await PostgresBackend.connect({ url: postgres, schema, listen: false });
  await checkFile(kv ?? "");
  return await DenoKvBackend.open({ path: kv ?? "" });
}

/** The place that the options name, or else the environment. Throws `UsageError` unless it is exactly one. */
export function placeOf(options: Values<typeof PLACE>, variable: (name: string) => string | undefined): Place {
  const { prefix, schema } = options;
  const [kind, ...others] = KINDS.filter((kind) => options[kind] !== undefined);
  if (others.length > 0) throw new UsageError(`more than one store is named. ${PASS}.`);
  const place = kind === undefined ? fromEnvironment(variable) : { [kind]: options[kind] };
  if (prefix !== undefined && place.redis === undefined) throw new UsageError("--prefix goes with --redis.");
  if (schema !== undefined && place.postgres === undefined) throw new UsageError("--schema goes with --postgres.");
  return { ...place, ...(prefix !== undefined && { prefix }), ...(schema !== undefined && { schema }) };
}

function fromEnvironment(variable: (name: string) => string | undefined): Place {
  const named = KINDS.flatMap((kind) => {
    const value = variable(VARIABLES[kind]);
    return value ? [[kind, value] as const] : [];
  });
  const names = named.map(([kind]) => VARIABLES[kind]);
  if (names.length > 1) {
    throw new UsageError(
      `the environment names more than one store: ${names.join(" and ")}. ${PASS}, or unset all but one.`,
    );
  }
  if (names.length === 0) {
    throw new UsageError(
      `no store is named. ${PASS}, or set one of ${Object.values(VARIABLES).join(", ")} in the environment.`,
    );
  }
  return Object.fromEntries(named);
}

/** Opening a KV file that does not exist would create it, and make a database of an empty one. */
async function checkFile(path: string): Promise<void> {
  let what: string;
  try {
    const { isFile, size } = await Deno.stat(path);
    if (isFile && size > 0) return;
    what = isFile ? "it is empty" : "it is not a file";
  } catch (cause) {
    throw new BackendError(`Cannot open the KV file ${path}: ${cause}. Pass the path that the server opens.`, {
      cause,
    });
  }
  throw new BackendError(`Cannot open the KV file ${path}: ${what}. Pass the path that the server opens.`);
}
