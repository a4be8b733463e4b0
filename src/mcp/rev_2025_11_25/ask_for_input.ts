/**
 * Asks for the input that a call lacks with `elicitation/create`, while the call is open (2025-11-25, "Elicitation").
 *
 * @module
 */
import { ProtocolError, SdkError, SdkErrorCode } from "@modelcontextprotocol/server";
import { Unavailable } from "../../errors.ts";
import type { Json, Question } from "../../task.ts";
import { LONGEST_TIMER_MS } from "../../waiting.ts";
import type { RequestContext } from "../host.ts";
import type { Elicited } from "../revision.ts";
import { acceptedContent, elicitation } from "../questions.ts";

/** Asks one question after the other. An answer that does not fit is refused later, with the rest of the input. */
export async function elicitFields(
  questions: readonly Question[],
  ctx: RequestContext,
  over: AbortSignal,
): Promise<Elicited> {
  // A person takes longer than the minute that the SDK would wait. A call that is cancelled withdraws its question.
  const options = { timeout: LONGEST_TIMER_MS, signal: AbortSignal.any([ctx.mcpReq.signal, over]) };
  const fields: [string, Json | undefined][] = [];
  for (const question of questions) {
    const params = elicitation(question) as Parameters<typeof ctx.mcpReq.elicitInput>[0];
    const answer = await ctx.mcpReq.send({ method: "elicitation/create", params }, options).catch((error) => {
      if (over.aborted) throw new Unavailable("The server is shutting down. Call again.");
      if (isNoAnswer(error)) return { action: "cancel" };
      throw error;
    });
    // Without this answer there is no call, so a refusal throws before the next question.
    fields.push([question.key, acceptedContent(question, answer)[question.key]]);
  }
  return { fields: Object.fromEntries(fields) };
}

/** Whether a client has answered with an error, or with something that is no answer. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof ProtocolError || error instanceof SdkError && error.code === SdkErrorCode.InvalidResult;
}
