/**
 * What a client learns of the questions of a task, and who can answer them.
 *
 * @module
 */
import type { RegisteredJob } from "../../registry.ts";
import { openQuestions, type Question, type TaskInfo } from "../../task.ts";
import { cut } from "../../text.ts";

/** How the questions of a task can be answered through a client. */
export interface Asking {
  /** Whether it can ask a person to fill in a form. */
  readonly elicitation: boolean;
  /** Whether it can ask a person to open a page. */
  readonly urls?: boolean;
  /** The tool with which its model passes on an answer; absent if only a person may answer. */
  readonly tool?: string;
  /** Whether the questions that it cannot ask are cancelled, because nobody else will answer them. Default: `false`. */
  readonly cancels?: boolean;
}

/** How much of each question the message includes, and after how much no further question, in UTF-16 units. */
const QUESTION = 300;
const QUESTIONS = 800;

/** Whether a client can put this question to a person. */
export function canAsk({ elicitation, urls = false }: Asking, { url }: Question): boolean {
  return url === undefined ? elicitation : urls;
}

/** Whether a task waits for answers, and its client can ask none of its questions. */
export function isStuck(task: TaskInfo, client: Asking): boolean {
  return task.status === "INPUT_REQUIRED" && !openQuestions(task).some((question) => canAsk(client, question));
}

/** Whether a task waits until a model passes on the person's answers. */
export function awaitsModel(task: TaskInfo, client: Asking): boolean {
  return client.tool !== undefined && isStuck(task, client);
}

/**
 * What becomes of questions that the client of a waiting call cannot ask: they wait for whoever else can answer, or are
 * cancelled. `usual` applies if neither the job nor its registration says.
 */
export function whenNobodyCanAnswer(
  { answers, policy }: Pick<RegisteredJob, "answers" | "policy">,
  usual: "wait" | "cancel",
): "wait" | "cancel" {
  return answers === "model" ? "wait" : policy.whenNobodyCanAnswer ?? usual;
}

/** Returns a task whose message, while it asks, says what it asks and who can answer. */
export function describeQuestions(task: TaskInfo, client: Asking = { elicitation: false }): TaskInfo {
  if (task.status !== "INPUT_REQUIRED" || task.stopRequested || !task.questions?.length) return task;
  const { questions } = task;
  return {
    ...task,
    message: `Waits for the answer to ${describeAll(questions)}. ${whoAnswers(task.id, questions, client)}`,
  };
}

/** A question is included as a whole or not at all: half a URL would lead somewhere else. */
function describeAll(questions: readonly Question[]): string {
  const all = questions.map(describe);
  const shown = all.filter((_, index) => index === 0 || all.slice(0, index + 1).join("").length <= QUESTIONS);
  const left = all.length - shown.length;
  return [...shown, ...left > 0 ? [`${left} more`] : []].join(" and ");
}

function describe({ message, url, expiresAt }: Question): string {
  const page = url === undefined ? "" : ` (open ${url})`;
  const end = expiresAt === undefined ? "" : ` until ${new Date(expiresAt).toISOString()}`;
  return `${JSON.stringify(cut(message, QUESTION))}${page}${end}`;
}

function whoAnswers(token: string, questions: readonly Question[], client: Asking): string {
  const left = questions.filter((question) => !canAsk(client, question));
  if (left.length === 0) return "The person who uses this client can answer.";
  if (client.tool !== undefined) {
    // A client with tasks of its own sees nothing but this text.
    const keys = left.map(({ key }) => key).join(" and ");
    return `Ask the person, and pass their answer to ${client.tool}, with the token ${token} and the question ${keys}.`;
  }
  // What is left is all of the kind that it cannot ask.
  const what = client.elicitation
    ? "This client cannot ask for a page to be opened"
    : client.urls
    ? "This client cannot ask for a form to be filled in"
    : "This client cannot be asked";
  const advice = client.cancels ? "the job goes on without that answer" : "answer in another one, or cancel the task";
  return `${what}: ${advice}.`;
}
