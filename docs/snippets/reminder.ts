import { defineJob, ToolError } from "@mcp-jobs/mcp-jobs";
import { z } from "zod";

const HOUR = 3_600_000;

export const remind = defineJob({
  name: "remind",
  description: "Remind a person of an appointment, the day before and an hour before",
  input: z.object({ user_id: z.string(), appointment: z.iso.datetime() }),
  run: async ({ user_id, appointment }, { step, sleep, until, now, random }) => {
    const time = Date.parse(appointment);
    const asked = await now(); // The same in every run; Date.now() would be later in each.
    if (time <= asked + HOUR) throw new ToolError("It begins within an hour.");
    await until("the day before", time - 24 * HOUR); // If that has passed, the code goes on at once.
    await sleep("spread", 60_000 * await random()); // Not all reminders of a day in the same second.
    await step("tomorrow", ({ idempotencyKey }) => send(user_id, `Your appointment: ${appointment}`, idempotencyKey));
    await until("an hour before", time - HOUR);
    await step("soon", ({ idempotencyKey }) => send(user_id, "It begins in an hour.", idempotencyKey));
    return { asked: new Date(asked).toISOString() };
  },
});

/** A step may run again. By the key the receiver can tell that it has sent this text already. */
async function send(to: string, text: string, key: string): Promise<void> {
  const request = { method: "POST", headers: { "idempotency-key": key }, body: JSON.stringify({ to, text }) };
  const response = await fetch("https://messages.example.com/send", request);
  if (!response.ok) throw new Error(`Cannot send the message: HTTP ${response.status}`);
}
