/**
 * What the person is asked before there is a task. A 2025-11-25 client is asked with `elicitation/create` while its call
 * is open; a 2026-07-28 client gets the questions as an answer, and calls again (Multi Round-Trip Requests).
 *
 * @module
 */
import { ToolError } from "../errors.ts";
import { LONGEST_TIMER_MS } from "../job.ts";
import type { Json, Question } from "../task.ts";
import { canAsk } from "./asking.ts";
import type { RequestContext, TaskServer } from "./host.ts";
import { answerOf, elicitation } from "./task_words.ts";

/**
 * Asks for the fields that an input lacks, before there is a task. Resolves with the whole input, or with the questions
 * that a 2026-07-28 client has to answer first. A client that cannot be asked goes on with what it has.
 */
export async function completeInput(
  questions: readonly Question[],
  input: { readonly [key: string]: unknown },
  server: TaskServer,
  ctx: RequestContext,
): Promise<{ readonly input: { readonly [key: string]: unknown } } | { readonly questions: readonly Question[] }> {
  const missing = questions.filter(({ key }) => !Object.hasOwn(input, key));
  if (missing.length === 0 || !canAsk(server, ctx)) return { input };
  const responses: { readonly [key: string]: unknown } = ctx.mcpReq.envelope
    ? ctx.mcpReq.inputResponses ?? {}
    : await askNow(missing, ctx);
  const unanswered = missing.filter(({ key }) => !Object.hasOwn(responses, key));
  if (unanswered.length > 0) return { questions: unanswered };
  const fields: [string, Json | undefined][] = missing.map(({ key, message }) => {
    const answer = answerOf(responses[key], key);
    if (answer.action !== "accept") throw new ToolError(`The user did not answer the question: ${message}`);
    return [key, answer.content[key]];
  });
  return { input: { ...input, ...Object.fromEntries(fields) } };
}

async function askNow(questions: readonly Question[], ctx: RequestContext): Promise<Record<string, unknown>> {
  const responses: Record<string, unknown> = {};
  for (const question of questions) {
    const params = elicitation(question) as Parameters<typeof ctx.mcpReq.elicitInput>[0];
    // A person takes longer than the minute that the SDK would wait; a call that is cancelled takes its question back.
    const options = { timeout: LONGEST_TIMER_MS, signal: ctx.mcpReq.signal };
    responses[question.key] = await ctx.mcpReq.send({ method: "elicitation/create", params }, options);
  }
  return responses;
}
