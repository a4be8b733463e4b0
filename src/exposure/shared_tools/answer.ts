/**
 * `task_answer`: passes on a person's answer to what a task asks, for clients that cannot ask the person themselves.
 *
 * @module
 */
import type { JsonSchema } from "../../schema/json_schema.ts";
import { type Answer, isFinished, type Json, openQuestions, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { canAsk } from "../answers/asking.ts";
import { formatResponse, PAGE_PROPERTIES, questionsSchema, responseSchema, toToolResult } from "../answers/response.ts";
import { endedAnswer, tokenCall, tokenSchema } from "../answers/token_answer.ts";
import type { AnsweringJob, CallClient, SurfaceTool } from "../surface.ts";
import { waitWhile } from "../waiting_calls.ts";
import type { AnsweringJobs } from "./answering.ts";
import { askingOf, findShared, sharedNames } from "./jobs.ts";

interface AnswerInput {
  readonly token: string;
  readonly question: string;
  readonly answer?: { readonly [key: string]: Json };
  readonly action?: "accept" | "decline" | "cancel";
}

export function answerTool(prefix: string, jobs: AnsweringJobs, tasks: Tasks): SurfaceTool {
  const names = sharedNames(prefix);
  const schema = answerSchema();
  return {
    name: names.answer,
    title: "Answer a question of a task",
    description: "Passes on what the person has answered to a question of a task whose status is INPUT_REQUIRED. " +
      "Ask the person first: never answer for them.",
    inputSchema: schema,
    outputSchema: responseSchema(undefined, { ...questionsSchema([{ answers: "model" }]), ...PAGE_PROPERTIES }),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    // A client that can ask the person does so itself.
    listedTo: ({ elicitation }) => !elicitation,
    call: tokenCall(names.answer, schema, async (given: AnswerInput, { owner, client, signal }) => {
      const { task, job } = await findShared(jobs, tasks, given.token, owner);
      const asking = askingOf(client, job.registered, prefix);
      const responseOf = (now: TaskInfo) => ({
        ...formatResponse(now, undefined, asking),
        ...(!isFinished(now) && { next: job.next(now, asking) }),
      });
      const refusal = whyNot(given.question, task, job, client);
      if (refusal !== undefined) {
        tasks.refuseAnswer(task, refusal);
        return toToolResult({ ...responseOf(task), error: refusal });
      }
      const answers = { [given.question]: answerOf(given) };
      const answered = await tasks.answer(task.id, owner, () => answers, "model");
      // It asks and cancels nothing: the next call deals with the next question.
      const condition = ({ status }: TaskInfo) => status !== "INPUT_REQUIRED";
      const now = await waitWhile(condition, answered, job.answerWithin, tasks, { signal });
      return isFinished(now) ? await endedAnswer(now, tasks, job.form) : toToolResult(responseOf(now));
    }),
  };
}

function answerSchema(): JsonSchema {
  return {
    ...tokenSchema({
      question: { type: "string", description: "The key of the question, as `questions` shows it" },
      answer: { type: "object", description: "The person's answer, as the question's schema says; a page needs none" },
      action: {
        type: "string",
        enum: ["accept", "decline", "cancel"],
        description: "accept (default): they answered. decline: they refused. cancel: they did not decide",
      },
    }),
    required: ["token", "question"],
  };
}

/** Why a model may not answer a question; `undefined` if it may. */
function whyNot(key: string, task: TaskInfo, { registered }: AnsweringJob, client: CallClient): string | undefined {
  if (registered.answers !== "model") return `Only a person may answer what ${registered.name} asks.`;
  const question = openQuestions(task).find((question) => question.key === key);
  if (question === undefined) {
    return "This answer was ignored: the task asks no such question, or it was answered before, or its time is over.";
  }
  return canAsk(client, question) ? "This answer was ignored: the client itself asks the person." : undefined;
}

function answerOf({ action = "accept", answer = {} }: AnswerInput): Answer {
  return action === "accept" ? { action, content: answer } : { action };
}
