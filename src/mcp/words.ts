/**
 * What both generations of MCP tasks say alike, under different names: pure functions of a task record.
 *
 * @module
 */
import { InvalidInput, ToolError } from "../errors.ts";
import { formOf } from "../questions/form.ts";
import { isObject } from "../json.ts";
import { type Answer, isFinished, type Json, openQuestions, type Question, type TaskInfo } from "../task.ts";

/** Progress and message in one line, for people; of a task that is finished the message alone. */
export function statusText(task: TaskInfo): string {
  const { progress, message = "" } = task;
  const done = progress === undefined || isFinished(task) ? "" : `${Math.round(progress * 100)} %`;
  return [done, message].filter(Boolean).join(", ");
}

/**
 * The time to live in ms. On the wire it counts from creation, while a result is kept from completion: so it grows with
 * a task that lives, and is exact once the task is finished.
 */
export function timeToLive(task: TaskInfo, now: number): number {
  return age(task, now) + task.resultTtl;
}

/**
 * When to ask again, in ms. A young task is worth asking for often; an old one is likely to stay a while, but whoever
 * waits for its end hears of it that much later.
 */
export function pollInterval(task: TaskInfo, now: number): number {
  return Math.min(2_000, Math.max(500, Math.round(age(task, now) / 10)));
}

/** How long a task has lived, or did live, in ms. */
function age(task: TaskInfo, now: number): number {
  return Math.max(0, (isFinished(task) ? task.finishedAt : now) - task.createdAt);
}

/**
 * Utility "Progress", of a call or of a task: makes the listener that tells a client of its changes. The value must grow
 * with each notification, so a message without progress creeps ahead a little; a change without either is not told.
 */
export function progressTo(
  progressToken: string | number,
  notify: (params: Record<string, Json>) => void,
): (task: TaskInfo) => void {
  let last = 0;
  return ({ progress, message }) => {
    if (progress === undefined && message === undefined) return;
    last = Math.max(progress ?? 0, last + 1e-6);
    notify({ progressToken, progress: last, total: 1, ...(message !== undefined && { message }) });
  };
}

/** What is to be put to the client of a task: a task that waits for its next worker puts nothing. */
export function questionsToPut(task: TaskInfo): readonly Question[] {
  return task.status === "INPUT_REQUIRED" ? openQuestions(task) : [];
}

/** The parameters of `elicitation/create`, form mode. */
export function elicitation({ key, message, schema }: Question): { readonly [key: string]: Json } {
  return { mode: "form", message, requestedSchema: formOf(schema, key) };
}

/** A question that is put again, with the reason why its answer was not taken. */
export function putAgain(question: Question, { issues }: InvalidInput): Question {
  const why = issues.map(({ path, message }) => path ? `${path}: ${message}` : message).join("; ");
  return { ...question, message: `${question.message}\n\nThe last answer did not fit: ${why}.` };
}

/** Whether these client capabilities, from wherever they came, let a form be asked: an empty `elicitation` means forms. */
export function declaresForms(capabilities: unknown): boolean {
  if (!isObject(capabilities) || !isObject(capabilities.elicitation)) return false;
  return "form" in capabilities.elicitation || !("url" in capabilities.elicitation);
}

/** What a client answered to `elicitation/create`. Throws `InvalidInput` if it is no such answer. */
export function answerOf(result: unknown, key: string): Answer {
  const { action, content } = isObject(result) ? result : {};
  if (action === "decline" || action === "cancel") return { action };
  if (action === "accept" && (content === undefined || isObject(content))) return { action, content: content ?? {} };
  throw new InvalidInput(`answer to ${key}`, [{ path: "action", message: "must be accept, decline or cancel" }]);
}

/** What a person filled in. Throws `ToolError` if they declined, and `InvalidInput` if it is no such answer. */
export function acceptedContent({ key, message }: Question, result: unknown): { readonly [key: string]: Json } {
  const answer = answerOf(result, key);
  if (answer.action === "accept") return answer.content;
  throw new ToolError(`The user did not answer the question: ${message}`);
}
