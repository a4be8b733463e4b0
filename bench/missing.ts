/** What has to be installed before a backend can be measured here. */
import { noOwnPostgres } from "../tools/postgres_server.ts";
import { noOwnRedis } from "../tools/redis_server.ts";

/** What to do for that, or `undefined` if nothing is missing. */
export function missingFor(backend: string): string | undefined {
  return backend === "redis" ? noOwnRedis : backend === "postgres" ? noOwnPostgres : undefined;
}
