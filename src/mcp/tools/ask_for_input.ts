/**
 * What the person is asked before there is a task. A 2025-11-25 client is asked with `elicitation/create` while its call
 * is open; a 2026-07-28 client gets the questions as an answer, and calls again (Multi Round-Trip Requests).
 *
 * @module
 */
import { DefinitionError, InvalidInput, ToolError, Unavailable } from "../../errors.ts";
import { LONGEST_TIMER_MS } from "../../waiting.ts";
import { validate } from "../../schema/schema.ts";
import type { Json, Question } from "../../task.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import { answerOf, canAsk, elicitation, putAgain } from "../words.ts";

/**
 * Asks for the fields that an input lacks, before there is a task. Resolves with the whole input, or with the questions
 * that a 2026-07-28 client has to answer first. A client that cannot be asked goes on with what it has. Nobody is asked
 * any longer once `over` aborts.
 */
export async function completeInput(
  questions: readonly Question[],
  input: { readonly [key: string]: unknown },
  server: TaskServer,
  ctx: RequestContext,
  over: AbortSignal,
): Promise<{ readonly input: { readonly [key: string]: unknown } } | { readonly questions: readonly Question[] }> {
  const missing = questions.filter(({ key }) => !Object.hasOwn(input, key));
  if (missing.length === 0 || !canAsk(server, ctx)) return { input };
  const { envelope, inputResponses = {} } = ctx.mcpReq;
  const responses: { readonly [key: string]: unknown } = envelope ? inputResponses : await askNow(missing, ctx, over);
  const fields: [string, Json | undefined][] = [];
  const again: Question[] = [];
  let complete = true;
  for (const question of missing) {
    const { key, message } = question;
    const answer = Object.hasOwn(responses, key) ? answerOf(responses[key], key) : undefined;
    if (answer && answer.action !== "accept") {
      throw new ToolError(`The user did not answer the question: ${message}`);
    }
    if (answer) fields.push([key, answer.content[key]]);
    // A 2025-11-25 client has been asked in this call: what does not fit is told with the rest of its input.
    const why = answer && envelope ? await misfit(question, answer.content) : undefined;
    again.push(why ? putAgain(question, why) : question);
    if (answer === undefined || why) complete = false;
  }
  // There is no task yet that would keep an answer, and a client sends those of its last round alone.
  return complete ? { input: { ...input, ...Object.fromEntries(fields) } } : { questions: again };
}

/** Why an answer does not fit. Where the schema of a field points to another place, the whole input is checked later. */
async function misfit({ key, schema }: Question, content: Json): Promise<InvalidInput | undefined> {
  try {
    await validate(schema, content, `answer to ${key}`);
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    if (!(error instanceof DefinitionError)) throw error;
  }
}

async function askNow(
  questions: readonly Question[],
  ctx: RequestContext,
  over: AbortSignal,
): Promise<Record<string, unknown>> {
  const responses: Record<string, unknown> = {};
  for (const question of questions) {
    const params = elicitation(question) as Parameters<typeof ctx.mcpReq.elicitInput>[0];
    // A person takes longer than the minute that the SDK would wait; a call that is cancelled takes its question back.
    const options = { timeout: LONGEST_TIMER_MS, signal: AbortSignal.any([ctx.mcpReq.signal, over]) };
    const answer = await ctx.mcpReq.send({ method: "elicitation/create", params }, options).catch((error) => {
      throw over.aborted ? new Unavailable("The server is shutting down. Call again.") : error;
    });
    responses[question.key] = answer;
    if (answer.action !== "accept") break; // Without this answer there is no call, so the others are of no use.
  }
  return responses;
}
