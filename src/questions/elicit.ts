/**
 * `ctx.elicit`: how a running job asks a person.
 *
 * @module
 */
import type { Claim } from "../backend.ts";
import { DefinitionError, InvalidInput, ToolError } from "../errors.ts";
import { wellFormed } from "../json.ts";
import { anything, checkOptions, required, type Rules, text, wholeNumber } from "../options.ts";
import { checkSchema, type Infer, type Schema, toJsonSchema, validate } from "../schema/schema.ts";
import { inElicitSpan } from "../telemetry/task_spans.ts";
import type { Answer, NewQuestion } from "../task.ts";
import { quote } from "../text.ts";
import { handled, LONGEST_WAIT_MS, unlessAborted } from "../waiting.ts";
import { QuestionBudget } from "./budget.ts";
import { formOf } from "./form.ts";
import { QuestionKeys } from "./key.ts";
import { checkUrl } from "./url.ts";

/** A question that a person answers in a form. */
export interface FormQuestion<S extends Schema = Schema> {
  /** The text of the question. */
  readonly message: string;
  /** The schema of the answer: a flat object whose fields a form can have. */
  readonly schema: S;
  /** For how long it may be answered, in ms, counted from when it was first asked. Default: for as long as the task lives. */
  readonly expiresIn?: number;
}

/** Asks a person to open a page, for what must not pass through the client, such as a password (MCP, "URL Mode"). */
export interface UrlQuestion {
  /** Why they should open it, and what to do there. */
  readonly message: string;
  /** The page: `https:`, or `http:` on this machine, and without a name or a password. */
  readonly url: string;
  /** As {@linkcode FormQuestion.expiresIn}. */
  readonly expiresIn?: number;
}

/** The answer to a question. That to a {@linkcode UrlQuestion} has no content. */
export type AnswerTo<Q> = Q extends { readonly schema: infer S extends Schema } ? Answer<Infer<S>>
  : Answer<Record<string, never>>;

/**
 * Asks the person who uses the client.
 *
 * @example
 * ```ts
 * import { defineJob } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * export const order = defineJob({
 *   name: "order",
 *   input: z.object({ item: z.string() }),
 *   run: async ({ item }, ctx) => {
 *     const [approval, address] = await ctx.elicit.all([
 *       { message: `Order ${item}?`, schema: z.object({ approve: z.boolean() }), expiresIn: 3_600_000 },
 *       { message: "Where to?", schema: z.object({ address: z.string() }) },
 *     ]);
 *     if (approval.action !== "accept" || !approval.content.approve) return { ordered: false };
 *     const paid = await ctx.elicit({ message: "Pay for it.", url: `https://shop.example.com/pay/${ctx.id}` });
 *     return { ordered: paid.action === "accept", to: address.action === "accept" ? address.content.address : null };
 *   },
 * });
 * ```
 */
export interface Elicit {
  /** Asks with a form. */
  <S extends Schema>(question: FormQuestion<S>): Promise<Answer<Infer<S>>>;
  /** Asks the person to open a page. `accept` means that they agree to open it, not that they are done there. */
  (question: UrlQuestion): Promise<Answer<Record<string, never>>>;
  /**
   * Asks several questions at once, and resolves with the answers in the same order. They share the room that the task has
   * left for answers, so each may be shorter than the 4,000 characters of a single one.
   */
  all<const Q extends readonly (FormQuestion | UrlQuestion)[]>(
    questions: Q,
  ): Promise<{ -readonly [I in keyof Q]: AnswerTo<Q[I]> }>;
}

type AnyQuestion = { readonly message: string; readonly schema?: Schema; readonly url?: string; expiresIn?: number };

const QUESTION: Rules<AnyQuestion> = {
  message: required(text),
  schema: anything,
  url: text,
  expiresIn: wholeNumber(1, LONGEST_WAIT_MS),
};

interface Asked {
  readonly question: NewQuestion;
  /** Rejects with `DefinitionError` if no client could show it. */
  readonly check: () => Promise<void>;
  /** Makes of an accepted answer what the job gets. */
  readonly read: (content: unknown) => Promise<unknown>;
}

/** How a run asks. */
export interface Asker {
  /** The answer that an earlier run has received to the question with this key. */
  known(key: string): Answer | undefined;
  /** The code repeats a question whose answer is known: once it may go on with that, `deliver` makes what it gets. */
  repeating<T>(deliver: () => Promise<T>): Promise<T>;
  /** Is called as soon as the code asks something new. Resolves with how to ask it, once it is checked. */
  asking(checked: Promise<unknown>): Promise<Claim["ask"]>;
  /** Awaits answers, which steps may overlap with. */
  overlapping<T>(wait: () => Promise<T>): Promise<T>;
}

/** The `elicit` of one attempt, whose questions have their own keys and their own budget. */
export function elicitOf(asker: Asker, signal: AbortSignal): Elicit {
  const budget = new QuestionBudget();
  const keys = new QuestionKeys();
  const answerTo = async ({ question, read }: Asked, ask: () => Promise<Answer>): Promise<Answer<unknown>> => {
    const answer = await inElicitSpan(question.url === undefined ? "form" : "url", ask);
    return answer.action === "accept" ? { action: "accept", content: await read(answer.content) } : answer;
  };
  const repeat = (asked: Asked, answer: Answer) => {
    budget.add(asked.question.key, answer);
    return asker.repeating(() => answerTo(asked, () => Promise.resolve(answer)));
  };
  const askNew = (asked: Asked, ask: Claim["ask"], room?: { readonly maxAnswer: number }) => {
    return answerTo(asked, () => unlessAborted(budget.ask({ ...room, ...asked.question }, ask), signal));
  };
  const one = async (given: AnyQuestion) => {
    signal.throwIfAborted();
    const asked = askedOf(given, keys);
    const answer = asker.known(asked.question.key);
    if (answer) return await asker.overlapping(() => repeat(asked, answer));
    const ask = await asker.asking(asked.check());
    return await asker.overlapping(() => askNew(asked, ask));
  };
  const several = async (given: readonly AnyQuestion[]) => {
    signal.throwIfAborted();
    if (!Array.isArray(given)) throw new DefinitionError("Cannot ask several questions: pass a list of them.");
    // All keys are made before anything waits, so that they depend on the order of the questions alone.
    const all = given.map((question) => askedOf(question, keys));
    const known = all.map(({ question }) => asker.known(question.key));
    const ask = await asker.asking(Promise.all(all.map(({ check }, i) => known[i] ?? check())));
    const maxAnswer = budget.share(all.map(({ question }) => question));
    return await asker.overlapping(() =>
      Promise.all(all.map((asked, i) => {
        const answer = known[i];
        return answer ? repeat(asked, answer) : askNew(asked, ask, { maxAnswer });
      }))
    );
  };
  const elicit = (question: AnyQuestion) => handled(one(question));
  const all = (questions: readonly AnyQuestion[]) => handled(several(questions));
  return Object.assign(elicit, { all }) as Elicit;
}

/** Takes a question of the code. Throws `DefinitionError` if it is none. */
function askedOf(given: AnyQuestion, keys: QuestionKeys): Asked {
  const what = typeof given?.message === "string" ? `the question ${quote(given.message)}` : "a question";
  checkOptions(what, given, QUESTION);
  const { message, schema, url, expiresIn } = given;
  const time = expiresIn === undefined ? {} : { expiresIn };
  if (url !== undefined && schema === undefined) {
    const page = checkUrl(url, what);
    const asked = wellFormed({ message, schema: NOTHING });
    // The key leaves out the page, which may differ in each attempt.
    return {
      question: { key: keys.next(asked), ...asked, url: page, maxAnswer: NO_CONTENT, ...time },
      check: () => Promise.resolve(),
      read: () => Promise.resolve({}),
    };
  }
  if (schema === undefined || url !== undefined) {
    throw new DefinitionError(`Cannot ask ${what}: pass either \`schema\`, for a form, or \`url\`, for a page.`);
  }
  const whole = toJsonSchema(schema, "input", what);
  const asked = wellFormed({ message, schema: whole });
  return {
    question: { key: keys.next(asked), ...asked, ...time },
    check: async () => {
      await checkSchema(schema, `answer to ${what}`); // With an invalid schema every answer would be refused.
      formOf(whole, what); // Without a form no client would show the question.
    },
    // The server validates with the JSON Schema; the job's own schema may be stricter.
    read: (content) => validate(schema, content, `answer to ${what}`).catch(refuseValue),
  };
}

/** The schema of an answer without content. */
const NOTHING = { type: "object", properties: {} };

/** How long such an answer is, in characters of JSON. */
const NO_CONTENT = "{}".length;

function refuseValue(error: unknown): never {
  throw error instanceof InvalidInput ? new ToolError(error.message, { cause: error }) : error;
}
