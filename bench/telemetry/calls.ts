/** The calls of a tool that starts a task, over HTTP. */
import { defineJob, type Job } from "../../mod.ts";
import { askModern } from "../http/modern.ts";

/** A job that nobody runs. */
export const waiting: Job = defineJob({ name: "waiting", input: { type: "object" } });

/** Calls the tool so often, with so many calls in flight. */
export async function callTool(url: string, total: number, inFlight: number): Promise<void> {
  const one = async () => {
    while (total-- > 0) await askModern(url, "tools/call", { name: "waiting_start", arguments: {} }, { tasks: false });
  };
  await Promise.all(Array.from({ length: inFlight }, one));
}
