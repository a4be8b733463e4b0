/**
 * `task_status`: waits for a task, and returns its result.
 *
 * @module
 */
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { whenNobodyCanAnswer } from "../answers/asking.ts";
import { resultForm } from "../answers/call_result.ts";
import { nextStep } from "../answers/next_step.ts";
import { formatResponse, PAGE_PROPERTIES, questionsSchema, responseSchema, toToolResult } from "../answers/response.ts";
import { type CallContext, CallerGone, CallTimedOut, type SurfaceTool, type ToolResult } from "../surface.ts";
import { endedAnswer, PAGE_SCHEMA, tokenCall, tokenSchema } from "../answers/token_answer.ts";
import { sameUntilAsked, waitForSeconds, waitSecondsSchema } from "../wait_seconds.ts";
import { askingOf, findShared, lacksTasks, listFor, type NamedJob, type SharedJobs, sharedNames } from "./jobs.ts";

/** The tool that waits for a task, and returns its result. */
export function statusTool(prefix: string, jobs: SharedJobs, tasks: Tasks): SurfaceTool {
  const { status: name } = sharedNames(prefix);
  const longest = Math.max(...[...jobs.values()].map(({ answerWithin }) => answerWithin));
  const questions = questionsSchema([...jobs.values()].map(({ registered }) => registered));
  const wait_seconds = waitSecondsSchema({ most: longest, byDefault: longest });
  const schema = tokenSchema({ wait_seconds, page: PAGE_SCHEMA });
  return {
    name,
    title: "Task status",
    description:
      "Waits for a task that a call has started, up to wait_seconds. Returns as soon as the task changes its " +
      "status, with the result once it is COMPLETED. If it is not finished, call again. A large result has pages.",
    inputSchema: schema,
    outputSchema: responseSchema(undefined, { ...questions, ...PAGE_PROPERTIES }),
    annotations: { readOnlyHint: true, idempotentHint: true },
    listedTo: lacksTasks,
    call: tokenCall(name, schema, async (given: StatusInput, ctx) => {
      const { task, job } = await findShared(jobs, tasks, given.token, ctx.owner, listFor(ctx.client, prefix));
      return await read(job, task, given, tasks, ctx);
    }),
    resume: async (id, ctx, storeAnswers) => {
      const { task, job } = await findShared(jobs, tasks, id, ctx.owner);
      const answered = await storeAnswers(task);
      return { kind: "result", result: await read(job, answered, {}, tasks, ctx) };
    },
  };
}

interface StatusInput {
  readonly token: string;
  readonly wait_seconds?: number;
  readonly page?: number;
}

/** Waits for a change, and returns the status of the task and the next step. */
async function read(
  { registered, prefix, answerWithin, shortest }: NamedJob,
  before: TaskInfo,
  { wait_seconds, page }: Omit<StatusInput, "token">,
  tasks: Tasks,
  ctx: CallContext,
): Promise<ToolResult> {
  const asking = askingOf(ctx.client, registered, prefix);
  const condition = sameUntilAsked(before, asking);
  // A model that leaves wait_seconds out would run into its client's time limit again and again.
  const byDefault = Math.min(shortest, tasks.patienceFor(before));
  const limits = { most: answerWithin, byDefault, whenNobodyCanAnswer: whenNobodyCanAnswer(registered, "wait") };
  const caller = tasks.caller(registered, ctx.owner);
  const waiting = waitForSeconds(condition, before, wait_seconds, limits, tasks, ctx);
  const { task, cut } = await waiting.catch((error) => {
    if (error instanceof CallTimedOut || error instanceof CallerGone) caller.giveUpStatus(before);
    throw error;
  });
  if (isFinished(task)) {
    return await endedAnswer(task, tasks, resultForm(registered, sharedNames(prefix).status), page);
  }
  // The next wait is as long as this one: the client may not be able to wait for longer.
  const wait = wait_seconds !== undefined && wait_seconds >= 1
    ? Math.min(wait_seconds * 1_000, answerWithin)
    : byDefault;
  const next = nextStep(task, prefix, wait, asking);
  return toToolResult({
    ...formatResponse(task, undefined, asking),
    next: cut === undefined ? next : `${next} (${cut})`,
  });
}
