/**
 * `task_status`: waits for a task, and has its result.
 *
 * @module
 */
import type { JsonSchema } from "../../schema/json_schema.ts";
import { validate } from "../../schema/schema.ts";
import { isFinished, type TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { NEXT, responseSchema } from "../answers/response.ts";
import type { CallContext, SharedJob, SurfaceTool, ToolResult } from "../surface.ts";
import { answer, explained, responseOf, TOKEN_PROPERTY } from "../answers/token_answer.ts";
import { waitWhile } from "../waiting_calls.ts";
import { findShared, knowsNoTasks, nextStep, type SharedJobs, sharedNames } from "./jobs.ts";

/** The tool that waits for a task, and has its result. */
export function statusTool(prefix: string, jobs: SharedJobs, tasks: Tasks): SurfaceTool {
  const { status: name } = sharedNames(prefix);
  const longest = Math.max(...[...jobs.values()].map(({ answerWithin }) => answerWithin));
  const schema: JsonSchema = {
    type: "object",
    properties: {
      token: TOKEN_PROPERTY,
      wait_seconds: {
        type: "number",
        minimum: 0,
        description: `How long to wait for a change, in seconds: at most ${longest / 1_000}, which is the default`,
      },
    },
    required: ["token"],
    additionalProperties: false,
  };
  return {
    name,
    title: "Task status",
    description:
      "Waits for a task that a call has begun, up to wait_seconds. Returns as soon as the task changes its " +
      "status, with the result once it is COMPLETED. If it is not finished, call again.",
    inputSchema: schema,
    outputSchema: responseSchema(undefined, { next: NEXT }),
    annotations: { readOnlyHint: true, idempotentHint: true },
    listedTo: knowsNoTasks,
    call: async (input, ctx) => {
      const { token, wait_seconds } = await validate(schema, input, `input for ${name}`) as StatusInput;
      const result = await explained(token, async () => {
        const { task, job } = await findShared(jobs, tasks, token, ctx.owner);
        return await waitForChange(job, task, wait_seconds, tasks, ctx);
      });
      return { kind: "result", result };
    },
    resume: async (id, ctx, storeAnswers) => {
      const { task, job } = await findShared(jobs, tasks, id, ctx.owner);
      await storeAnswers(task);
      return { kind: "result", result: await waitForChange(job, task, undefined, tasks, ctx) };
    },
  };
}

interface StatusInput {
  readonly token: string;
  readonly wait_seconds?: number;
}

async function waitForChange(
  { prefix, answerWithin }: SharedJob,
  before: TaskInfo,
  seconds: number | undefined,
  tasks: Tasks,
  { client, signal, onChange }: CallContext,
): Promise<ToolResult> {
  const asked = seconds === undefined ? answerWithin : seconds * 1_000;
  const wait = Math.min(asked, answerWithin);
  // Other clients may answer a question, so a client that cannot ask a person leaves it alone.
  const listener = client.elicitation ? onChange : undefined;
  const call = { signal, onChange: listener };
  listener?.(before);
  const task = await waitWhile(({ status }) => status === before.status, before, wait, tasks, call);
  const response = await responseOf(task, tasks);
  if (isFinished(task)) return answer(response);
  const cut = asked > wait ? ` (It waits ${wait / 1_000} s at most, not ${seconds}.)` : "";
  return answer({ ...response, next: nextStep(task, prefix, answerWithin) + cut });
}
