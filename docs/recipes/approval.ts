import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

const THREE_DAYS = 3 * 24 * 3_600_000;

export const refund = defineJob({
  name: "refund",
  description: "Refund an order. A person approves amounts above 100.",
  input: z.object({ order: z.string(), amount: z.number().positive() }),
  parkAfter: 0, // While the question is open, the task holds no worker.
  run: async ({ order, amount }, { elicit, step }) => {
    if (amount > 100) {
      const answer = await elicit({
        message: `Refund ${amount} for order ${order}?`,
        schema: z.object({ approved: z.boolean() }),
        expiresIn: THREE_DAYS,
      });
      if (answer.action === "expired") throw new ToolError(`Nobody decided within three days: order ${order}.`);
      if (answer.action === "cancel") {
        const why = answer.answeredBy === "nobody" ? "This client cannot ask anybody" : "The question was closed";
        throw new ToolError(`${why}: order ${order}.`);
      }
      if (answer.action !== "accept" || !answer.content.approved) return { refunded: false };
    }
    await step("refund", ({ idempotencyKey }) => payBack(order, amount, idempotencyKey));
    return { refunded: true };
  },
});

/** Your payment service. It refuses a second payment with the same key. */
function payBack(order: string, amount: number, idempotencyKey: string): { readonly receipt: string } {
  return { receipt: `${order}-${amount}-${idempotencyKey}` };
}
