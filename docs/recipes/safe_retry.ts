import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

/** A payment service of yours. */
export interface Payments {
  /** Charges a customer. A second call with the same key returns the first receipt, and charges nothing. */
  charge(
    customer: string,
    amount: number,
    key: string,
  ): Promise<{ readonly receipt: string } | { readonly refused: string }>;
}

/** The job that charges a customer, and sends a receipt. */
// deno-lint-ignore explicit-module-boundary-types
export function chargeWith(payments: Payments, send: (receipt: string, key: string) => Promise<void>) {
  return defineJob({
    name: "charge",
    description: "Charge a customer, and send them a receipt",
    input: z.object({ customer: z.string(), amount: z.number().positive() }),
    attempts: 5,
    backoff: { delay: 2_000, maxDelay: 60_000 },
    unique: true, // A client that repeats its call gets the task that is under way.
    run: async ({ customer, amount }, { step }) => {
      const charged = await step("charge", ({ idempotencyKey }) => payments.charge(customer, amount, idempotencyKey));
      if ("refused" in charged) throw new ToolError(`The payment was refused: ${charged.refused}`);
      await step("send", ({ idempotencyKey }) => send(charged.receipt, idempotencyKey));
      return { receipt: charged.receipt };
    },
  });
}
