/**
 * A job that takes longer than a call should wait: forty seconds of work, with progress on the way.
 *
 * @module
 */
import { defineJob } from "@mcp-jobs/mcp-jobs";
import { setTimeout as work } from "node:timers/promises";
import { z } from "zod";

export const rebuildIndex = defineJob({
  name: "rebuild_index",
  title: "Search index",
  description: "Rebuild the search index of all orders.",
  input: z.object({}),
  output: z.object({ orders: z.number() }),
  run: async (_input, { progress, signal }) => {
    for (let tenth = 1; tenth <= 10; tenth++) {
      await work(4_000, undefined, { signal });
      await progress(tenth / 10, `${tenth},000 orders indexed`);
    }
    return { orders: 10_000 };
  },
});
