/**
 * A job that a person has to approve, and that may be interrupted anywhere: a later run of the same task continues after its
 * last recorded step.
 *
 * @module
 */
import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

export const publishReport = defineJob({
  name: "publish_report",
  title: "Publish a report",
  description: "Collect a report, have a person approve it, and publish it.",
  input: z.object({ user_id: z.string().describe("The user's id") }),
  output: z.object({ revenue: z.number(), approvedBy: z.string(), url: z.string(), workers: z.array(z.number()) }),
  parkAfter: 0, // Its worker is free as soon as the question is stored.
  run: async ({ user_id }, { step, elicit }) => {
    const orders = await step("collect orders", () => ({ amounts: [30_000, 12_000], worker: Deno.pid }));
    const { revenue } = await step("add up", () => ({ revenue: orders.amounts.reduce((sum, one) => sum + one, 0) }));
    const answer = await elicit({
      message: `Publish the report of user ${user_id}, with a revenue of ${revenue}?`,
      schema: z.object({ name: z.string().describe("Who approves it") }),
    });
    if (answer.action !== "accept") {
      const isUnasked = answer.answeredBy === "nobody";
      throw new ToolError(`Not published: ${isUnasked ? "this client cannot ask anybody" : "nobody has approved it"}.`);
    }
    const published = await step("publish", ({ idempotencyKey }) => publish(user_id, idempotencyKey));
    return {
      revenue,
      approvedBy: answer.content.name,
      url: published.url,
      workers: [orders.worker, published.worker],
    };
  },
});

/** A step that ran may run again if its worker dies before the result is stored. With the key, the receiver can tell. */
function publish(user: string, idempotencyKey: string): { readonly url: string; readonly worker: number } {
  return { url: `https://reports.example.com/${user}?key=${idempotencyKey}`, worker: Deno.pid };
}
