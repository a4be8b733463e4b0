// migrate.ts: makes or changes the tables, before servers and workers of a new version start.
import { PostgresBackend } from "@mcp-jobs/mcp-jobs";

await PostgresBackend.migrate({ url: Deno.env.get("POSTGRES_URL") ?? "" });
