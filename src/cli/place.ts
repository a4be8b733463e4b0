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
  kv: text("PATH", "the Deno KV file of the tasks"),
  redis: text("URL", "their Redis, as redis://user:password@host:port/database"),
  postgres: text("URL", "their PostgreSQL, as postgres://user:password@host:port/database"),
  prefix: text("PREFIX", "with --redis: the prefix of BullMQ's keys, if not bull"),
  schema: text("SCHEMA", "with --postgres: the schema of the tables, if not mcp_jobs"),
} as const satisfies Options;

/** Opens a backend. Rejects with `UsageError` unless the options name one, and with `BackendError` if it cannot be opened. */
export async function openPlace({ kv, redis, postgres, prefix, schema }: Values<typeof PLACE>): Promise<Backend> {
  const [place, ...others] = [kv, redis, postgres].filter((each) => each !== undefined);
  if (place === undefined || others.length > 0) {
    throw new UsageError("Pass one of --kv PATH, --redis URL and --postgres URL: where the tasks are.");
  }
  if (prefix !== undefined && redis === undefined) throw new UsageError("--prefix goes with --redis.");
  if (schema !== undefined && postgres === undefined) throw new UsageError("--schema goes with --postgres.");
  if (redis !== undefined) return await BullMqBackend.connect({ redis, prefix });
  if (postgres !== undefined) return await PostgresBackend.connect({ url: postgres, schema });
  await checkFile(place);
  return await DenoKvBackend.open({ path: place });
}

/** To open a KV file that does not exist would make one. */
async function checkFile(path: string): Promise<void> {
  try {
    if ((await Deno.stat(path)).isFile) return;
  } catch (cause) {
    throw new BackendError(`Cannot open the KV file ${path}: ${cause}. Pass the path that the server opens.`, {
      cause,
    });
  }
  throw new BackendError(`Cannot open the KV file ${path}: it is no file. Pass the path that the server opens.`);
}
