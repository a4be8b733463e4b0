/**
 * A live page of all tasks, for the person who runs the system; `mcp-jobs dashboard` serves the same.
 *
 * @example
 * ```ts
 * import { MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * import { serveDashboard } from "@mcp-jobs/mcp-jobs/dashboard";
 *
 * await using backend = new MemoryBackend();
 * await using dashboard = await serveDashboard(backend);
 * console.assert(dashboard.url.startsWith("http://127.0.0.1:"));
 * ```
 *
 * @module
 */
export { type Dashboard, type DashboardOptions, serveDashboard } from "./src/dashboard/mod.ts";
