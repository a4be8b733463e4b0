import { AsyncToolServer, type Backend, defineJob } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

/** The job that the schedules run. */
export const countOrders = defineJob({
  name: "count_orders",
  description: "Count the orders of a region",
  input: z.object({ region: z.string() }),
  run: ({ region }) => ({ region, orders: 17 }),
});

/** A server whose clients read the newest count, and may ask for another one. */
export async function newServer(backend: Backend): Promise<AsyncToolServer> {
  const server = new AsyncToolServer({ name: "orders", version: "1.0.0", backend });
  server.registerAsyncTool(countOrders);
  // On working days at three in the morning, in Berlin.
  await server.schedule(countOrders, {
    name: "count_at_night",
    cron: "0 3 * * MON-FRI",
    timeZone: "Europe/Berlin",
    input: { region: "eu" },
    owner: "local",
  });
  // Every ten minutes, and without a count for a time at which no server ran.
  await server.schedule(countOrders, {
    name: "count_often",
    every: 600_000,
    input: { region: "us" },
    owner: "local",
    catchUp: false,
  });
  return server;
}
