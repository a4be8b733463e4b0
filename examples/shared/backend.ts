/**
 * Opens the queue that a server and its workers share.
 *
 * @module
 */
import { type Backend, BullMqBackend, DenoKvBackend, PostgresBackend } from "@mcp-jobs/mcp-jobs";
import { parseArgs } from "node:util";

/**
 * Opens the backend that the options name. `--backend=kv`, the default, is the file of `--kv=<path>`, else of the
 * environment variable `MCP_JOBS_KV`, else `./data/jobs.kv`. `--backend=redis` is the Redis of `REDIS_URL`, else the one on
 * localhost; `--prefix=<prefix>` keeps its keys apart. `--backend=postgres` is the PostgreSQL of `POSTGRES_URL`;
 * `--schema=<schema>` keeps its tables apart.
 */
export async function openBackend(args: readonly string[] = Deno.args): Promise<Backend> {
  const text = { type: "string" } as const;
  const { backend, kv, prefix, schema } = parseArgs({
    args: [...args],
    allowPositionals: true, // The name of the example, and its role.
    options: {
      backend: { ...text, default: "kv" },
      kv: text,
      prefix: text,
      schema: text,
      "end-with-stdin": { type: "boolean" }, // END_WITH_STDIN of role.ts
    },
  }).values;
  // Only this switch knows which backend it is: add another one here.
  switch (backend) {
    case "kv":
      return await DenoKvBackend.open({ path: kv ?? Deno.env.get("MCP_JOBS_KV") ?? "./data/jobs.kv" });
    case "redis": {
      const redis = Deno.env.get("REDIS_URL") ?? "redis://localhost:6379";
      return await BullMqBackend.connect({ redis, ...(prefix && { prefix }) });
    }
    case "postgres": {
      const url = Deno.env.get("POSTGRES_URL") ?? "postgres://localhost:5432/postgres";
      const place = { url, ...(schema && { schema }) };
      await PostgresBackend.migrate(place);
      return await PostgresBackend.connect(place);
    }
    default:
      throw new Error(`Cannot use the backend ${JSON.stringify(backend)}. Choose one of: kv, redis, postgres.`);
  }
}
