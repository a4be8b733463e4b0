import { PostgresBackend } from "@mcp-jobs/mcp-jobs";
import { failures, repeat } from "./what_failed_last_night.ts";

// The backend is opened here as the server opens it.
await using backend = await PostgresBackend.connect({ url: Deno.env.get("POSTGRES_URL") ?? "" });
const { operator } = backend;
const found = await failures(operator, { job: "charge", since: Date.now() - 14 * 3_600_000 });
for (const [error, tasks] of found) console.log(tasks.length, error);
const again = await repeat(operator, found.get("The payment service is away.") ?? [], "2026-11-28");
console.log(`repeated by now: ${again.length}`);
