/**
 * The tool of a job whose calls wait for their task: what the strategies with one such tool have in common.
 *
 * @module
 */
import { withoutAsked } from "../questions/input_fields.ts";
import type { RegisteredJob } from "../registry.ts";
import { withPerCall } from "../schema/per_call.ts";
import type { Outcome, TaskInfo } from "../task.ts";
import type { Caller } from "../tasks/callers/caller.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { whenNobodyCanAnswer } from "./answers/asking.ts";
import { callResult, resultForm } from "./answers/call_result.ts";
import { questionsSchema, resultOrHandle } from "./answers/response.ts";
import { sharedNames } from "./shared_tools/jobs.ts";
import type { CallAnswer, CallContext, ResultForm, Surface, SurfaceTool } from "./surface.ts";
import { taskOfJob } from "./task_of_job.ts";
import { startOptions, waitForCall } from "./waiting_calls.ts";

/**
 * Returns a tool that is named and described as the job is registered, with an output schema that allows handles. A call
 * starts a task, and `answer` waits for what the call returns. A call that continues an earlier one first stores the
 * answers to the questions of its task. `startWithin`: how far ahead a call may start its task, in ms; default: 365 days.
 */
export function waitingTool(
  registered: RegisteredJob,
  tasks: Tasks,
  answer: (task: TaskInfo, ctx: CallContext, caller: Caller) => Promise<CallAnswer>,
  startWithin?: number,
): SurfaceTool {
  const { name, title, description, job, askFor, perCall } = registered;
  const unasked = whenNobodyCanAnswer(registered, "cancel");
  const respond = (ctx: CallContext, begin: (caller: Caller) => Promise<TaskInfo>, input?: unknown) => {
    const asking = { ...ctx, onChange: (task: TaskInfo) => ctx.onChange?.(task, unasked) };
    return waitForCall(registered, tasks, ctx, begin, (task, caller) => answer(task, asking, caller), input);
  };
  return {
    name,
    title,
    description,
    inputSchema: withPerCall(withoutAsked(job.inputSchema, askFor), perCall, startWithin),
    outputSchema: job.outputSchema && resultOrHandle(job.outputSchema, questionsSchema([registered])),
    annotations: job.annotations,
    askFor,
    call: (input, ctx) =>
      respond(
        ctx,
        (caller) => tasks.start(registered, input, ctx.owner, { ...startOptions(ctx, caller), startWithin }),
        input,
      ),
    resume: (id, ctx, storeAnswers, input) =>
      respond(ctx, async () => {
        const task = await taskOfJob(tasks, job.name, id, ctx.owner);
        return await storeAnswers(task);
      }, input),
  };
}

/** The native tasks of a job; the tool with which a model answers their questions has this prefix. */
export function nativeTasks(
  registered: RegisteredJob,
  notifications: boolean,
  prefix = "",
): NonNullable<Surface["tasks"]> {
  const { job, cancel, answers } = registered;
  return {
    cancellable: cancel ? [job.name] : [],
    forms: new Map([[job.name, resultForm(registered)]]),
    notifications,
    ...(whenNobodyCanAnswer(registered, "wait") === "cancel" && { cancelsQuestions: [job.name] }),
    ...(answers === "model" && { answerTools: { [job.name]: sharedNames(prefix).answer } }),
  };
}

/**
 * Answers with the result of a task that has ended. Throws `JobFault` if the job has thrown one. Any other fault, such as a
 * cancellation by somebody else, is an error result: after a protocol error, LangChain and others end the agent's run.
 */
export async function answerWithResult(task: TaskInfo, tasks: Tasks, form?: ResultForm): Promise<CallAnswer> {
  const outcome = await tasks.outcome(task);
  const isOurs = outcome.kind === "fault" && outcome.code === undefined;
  const shown: Outcome = isOurs ? { kind: "tool_error", message: outcome.message } : outcome;
  return { kind: "result", result: callResult(task, shown, form) };
}
