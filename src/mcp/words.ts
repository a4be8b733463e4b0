/**
 * What every revision says of a task: pure functions of a task record.
 *
 * @module
 */
import { InvalidInput, ToolError } from "../errors.ts";
import { type Asking, canAsk } from "../exposure/answers/asking.ts";
import type { Surface } from "../exposure/surface.ts";
import { formOf } from "../questions/form.ts";
import { isObject } from "../json.ts";
import {
  type Answer,
  isFinished,
  type Json,
  openQuestions,
  type Question,
  type TaskInfo,
  type TaskStatus,
} from "../task.ts";
import { percentOf } from "../text.ts";

/** What is said of a task under the same names in every revision. */
export interface CommonTask {
  readonly taskId: string;
  readonly status: WireStatus;
  readonly statusMessage?: string;
  readonly createdAt: string;
  readonly lastUpdatedAt: string;
}

type WireStatus = "working" | "input_required" | "completed" | "failed" | "cancelled";

const STATUS: { readonly [status in TaskStatus]: WireStatus } = {
  PENDING: "working",
  RUNNING: "working",
  RETRYING: "working",
  INPUT_REQUIRED: "input_required",
  COMPLETED: "completed",
  FAILED: "failed",
  CANCELLED: "cancelled",
};

/** A task in these words. */
export function commonTask(task: TaskInfo, status: WireStatus = STATUS[task.status]): CommonTask {
  const statusMessage = statusText(task);
  return {
    taskId: task.id,
    status,
    ...(statusMessage && { statusMessage }),
    createdAt: new Date(task.createdAt).toISOString(),
    lastUpdatedAt: new Date(task.updatedAt).toISOString(),
  };
}

/** Progress and message in one line, for people; for a finished task only the message. */
export function statusText(task: TaskInfo): string {
  const { progress, message = "" } = task;
  const done = progress === undefined || isFinished(task) ? "" : `${percentOf(progress)} %`;
  return [done, message].filter(Boolean).join(", ");
}

/**
 * The time to live in ms. On the wire it counts from creation, but a result is kept from completion: so the value grows
 * while a task is running, and is exact once the task has finished.
 */
export function timeToLive(task: TaskInfo, now: number): number {
  return age(task, now) + task.resultTtl;
}

/**
 * How long a client should wait before it reads the task again, in ms: a tenth of the task's age, between 0.5 s and 2 s. An
 * old task is likely to run for a while yet, but a longer interval would delay its result by as much.
 */
export function pollInterval(task: TaskInfo, now: number): number {
  return Math.min(2_000, Math.max(500, Math.round(age(task, now) / 10)));
}

/** The time since a task was created, until now or until it finished, in ms. */
function age(task: TaskInfo, now: number): number {
  return Math.max(0, (isFinished(task) ? task.finishedAt : now) - task.createdAt);
}

/**
 * Makes a listener that reports the changes of a task to a client (utility "Progress"). The value must grow with each
 * notification, so a message without progress raises it slightly; a change with neither is not reported.
 */
export function progressTo(
  progressToken: string | number,
  notify: (params: Record<string, Json>) => void,
): (task: Pick<TaskInfo, "progress" | "message">) => void {
  let last = 0;
  return ({ progress, message }) => {
    if (progress === undefined && message === undefined) return;
    last = Math.max(progress ?? 0, last + 1e-6);
    notify({ progressToken, progress: last, total: 1, ...(message !== undefined && { message }) });
  };
}

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

/** A question to be asked again, with the reason why its last answer was not accepted. */
export function askAgain(question: Question, { issues }: InvalidInput): Question {
  const why = issues.map(({ path, message }) => path ? `${path}: ${message}` : message).join("; ");
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
