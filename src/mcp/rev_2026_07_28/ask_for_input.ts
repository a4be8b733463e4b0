/**
 * Asks for the input that a call lacks by returning the questions: the client calls again with the answers (2026-07-28,
 * Multi Round-Trip Requests).
 *
 * @module
 */
import { DefinitionError, InvalidInput } from "../../errors.ts";
import { validate } from "../../schema/schema.ts";
import type { Json, Question } from "../../task.ts";
import type { RequestContext } from "../host.ts";
import type { Elicited } from "../revision.ts";
import { acceptedContent, withReason } from "../questions.ts";
import { inputRequired } from "./wire.ts";

/**
 * Takes the answers that came with the call. Unless all are there and fit, it asks every question again: no task exists
 * yet to keep an answer, and a client sends only the answers of its last round.
 */
export async function elicitFields(questions: readonly Question[], ctx: RequestContext): Promise<Elicited> {
  const { inputResponses = {} } = ctx.mcpReq;
  const fields: [string, Json | undefined][] = [];
  const again: Question[] = [];
  let complete = true;
  for (const question of questions) {
    const { key } = question;
    const content = Object.hasOwn(inputResponses, key) ? acceptedContent(question, inputResponses[key]) : undefined;
    const misfit = content && await whyUnfit(question, content);
    if (content) fields.push([key, content[key]]);
    if (content === undefined || misfit) complete = false;
    again.push(withReason(question, misfit));
  }
  return complete ? { fields: Object.fromEntries(fields) } : { result: inputRequired(again) };
}

/** Why an answer does not fit. A schema that refers to another place is checked later, with the whole input. */
async function whyUnfit({ key, schema }: Question, content: Json): Promise<InvalidInput | undefined> {
  try {
    await validate(schema, content, `answer to ${key}`);
  } catch (error) {
    if (error instanceof InvalidInput) return error;
    if (!(error instanceof DefinitionError)) throw error;
  }
}
