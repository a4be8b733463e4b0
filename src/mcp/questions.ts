/**
 * What both revisions share about the questions of tasks: which of them a client can ask, in which words, and its answers.
 *
 * @module
 */
import { InvalidInput, TaskNotFound, ToolError } from "../errors.ts";
import { type Asking, canAsk } from "../exposure/answers/asking.ts";
import type { Surface } from "../exposure/surface.ts";
import { isObject } from "../json.ts";
import { formOf } from "../questions/form.ts";
import { type Answer, type Json, openQuestions, type Question, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { pause } from "../waiting.ts";

/** The questions to ask a client of a task, and those that it cannot ask. A task that waits for its next worker asks nothing. */
export function questionsToElicit(
  task: TaskInfo,
  client: Asking,
): { readonly askable: readonly Question[]; readonly others: readonly Question[] } {
  const open = task.status === "INPUT_REQUIRED" ? openQuestions(task) : [];
  return {
    askable: open.filter((question) => canAsk(client, question)),
    others: open.filter((question) => !canAsk(client, question)),
  };
}

/** The parameters of `elicitation/create`: form mode, or URL mode for a page. */
export function elicitation({ key, message, schema, url }: Question): { readonly [key: string]: Json } {
  if (url !== undefined) return { mode: "url", message, url };
  return { mode: "form", message, requestedSchema: formOf(schema, key) };
}

/** A question as it is asked: if its last answer did not fit, with the reason. */
export function withReason(question: Question, misfit: InvalidInput | undefined): Question {
  if (misfit === undefined) return question;
  const why = misfit.issues.map(({ path, message }) => path ? `${path}: ${message}` : message).join("; ");
  return { ...question, message: `${question.message}\n\nThe last answer did not fit: ${why}.` };
}

/** How a client can ask, by its capabilities, however they were declared: an empty `elicitation` means forms. */
export function declaredAsking(capabilities: unknown): { readonly elicitation: boolean; readonly urls: boolean } {
  const declared = isObject(capabilities) ? capabilities.elicitation : undefined;
  if (!isObject(declared)) return { elicitation: false, urls: false };
  const urls = "url" in declared;
  return { elicitation: "form" in declared || !urls, urls };
}

/** How the questions of a job can be answered through a client that declares this. */
export function askingFor(
  declared: Pick<Asking, "elicitation" | "urls">,
  { answerTools, cancelsQuestions }: NonNullable<Surface["tasks"]>,
  job: string,
): Asking {
  return { ...declared, tool: answerTools?.[job], cancels: cancelsQuestions?.includes(job) };
}

/** Reads the answer of a client to `elicitation/create`. Throws `InvalidInput` if it is not one. */
export function answerOf(result: unknown, key: string): Answer {
  const { action, content } = isObject(result) ? result : {};
  if (action === "decline" || action === "cancel") return { action };
  if (action === "accept" && (content === undefined || isObject(content))) return { action, content: content ?? {} };
  throw new InvalidInput(`answer to ${key}`, [{ path: "action", message: "must be accept, decline or cancel" }]);
}

/** Reads what a person filled in. Throws `ToolError` if they declined, and `InvalidInput` if it is not an answer. */
export function acceptedContent({ key, message }: Question, result: unknown): { readonly [key: string]: Json } {
  const answer = answerOf(result, key);
  if (answer.action === "accept") return answer.content;
  throw new ToolError(`The user did not answer the question: ${message}`);
}

/** The pause before another try to store an answer, in ms. */
const PAUSE_MS = 1_000;

/**
 * Answers open questions of a task with `cancel`, because its waiting client cannot be asked: nobody else will answer, and the
 * job must go on. A question is announced only once, so an answer that cannot be stored is tried again until `ended` aborts.
 * Never rejects.
 */
export async function cancelQuestions(
  tasks: Tasks,
  task: TaskInfo,
  questions: readonly Question[],
  ended: AbortSignal,
): Promise<void> {
  const keys = questions.map(({ key }) => key);
  while (keys.length > 0 && !ended.aborted) {
    try {
      // This does nothing for a task that has ended, or a question that is answered.
      await tasks.answerForNobody(task, keys);
      return;
    } catch (error) {
      if (error instanceof TaskNotFound) return;
      const { id, job } = task;
      tasks.onError(error, { where: "answer a question that nobody can be asked", job, task: id });
    }
    await pause(PAUSE_MS, ended);
  }
}
