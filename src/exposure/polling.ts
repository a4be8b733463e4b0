/**
 * The polling strategy: four plain tools per job, which work with every client.
 *
 * @module
 */
import { checkOptions, type Rules, wholeNumber } from "../options.ts";
import { withoutAsked } from "../questions/input_fields.ts";
import type { RegisteredJob } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import { withPerCall } from "../schema/per_call.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { taskOfJob } from "./task_of_job.ts";
import { answeringOf } from "./shared_tools/answering.ts";
import { askingOf } from "./shared_tools/jobs.ts";
import { awaitsModel, whenNobodyCanAnswer } from "./answers/asking.ts";
import { resultForm } from "./answers/call_result.ts";
import { waiting } from "./answers/next_step.ts";
import { formatResponse, questionsSchema, responseSchema, toToolResult } from "./answers/response.ts";
import { taskTemplates } from "./resources/templates.ts";
import type { CallContext, ExposureStrategy, ResultForm, Surface, SurfaceTool, ToolResult } from "./surface.ts";
import { endedAnswer, PAGE_SCHEMA, tokenCall, tokenSchema } from "./answers/token_answer.ts";
import { sameUntilAsked, waitForSeconds, type WaitLimits, waitSecondsSchema, withNote } from "./wait_seconds.ts";

/** The options of {@linkcode PollingExposureStrategy}. */
export interface PollingOptions {
  /** The longest wait for `wait_seconds` of the status and result tools, in ms. Default: 25,000. */
  readonly answerWithin?: number;
}

const OPTIONS: Rules<PollingOptions> = { answerWithin: wholeNumber(0) };

const TOKEN = tokenSchema();

/**
 * Gives each job the tools `<name>_start`, `<name>_status`, `<name>_result` and, if clients may cancel it, `<name>_cancel`.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, MemoryBackend, PollingExposureStrategy } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const server = new AsyncToolServer({
 *   name: "reports", version: "1.0.0", backend, strategy: new PollingExposureStrategy(),
 * });
 * ```
 */
export class PollingExposureStrategy implements ExposureStrategy {
  readonly #answerWithin: number;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: PollingOptions = {}) {
    checkOptions("PollingExposureStrategy", options, OPTIONS);
    this.#answerWithin = options.answerWithin ?? 25_000;
  }

  /** Returns the tools and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const limits = {
      most: registered.answerWithin ?? this.#answerWithin,
      byDefault: 0,
      whenNobodyCanAnswer: whenNobodyCanAnswer(registered, "wait"),
    };
    const reading = [statusTool(registered, limits, tasks), resultTool(registered, limits, tasks)];
    const cancel = registered.cancel ? [cancelTool(registered, tasks)] : [];
    const read = `call ${registered.name}_status with this token${waiting(limits.most)}`;
    return {
      tools: [startTool(registered, limits, tasks), ...reading, ...cancel],
      templates: taskTemplates(registered, tasks),
      ...answeringOf(registered, { form: formOf(registered), read: () => read }),
    };
  }
}

function startTool(registered: RegisteredJob, { most }: WaitLimits, tasks: Tasks): SurfaceTool {
  const { name, title = name, description, job, askFor, perCall } = registered;
  return {
    name: `${name}_start`,
    title: `${title}: start`,
    description: `${description}\n\nRuns in the background and may take minutes. Returns a token at once: ` +
      `call ${name}_status with it${waiting(most)} until the status is COMPLETED; it returns the result then.`,
    inputSchema: withPerCall(withoutAsked(job.inputSchema, askFor), perCall),
    outputSchema: responseSchema(),
    annotations: { readOnlyHint: false, ...job.annotations },
    askFor,
    call: async (input, { owner, idempotencyKey, trace }) => {
      const task = await tasks.start(registered, input, owner, { idempotencyKey, trace });
      return { kind: "result", result: toToolResult(formatResponse(await tasks.explain(task))) };
    },
  };
}

function statusTool(registered: RegisteredJob, limits: WaitLimits, tasks: Tasks): SurfaceTool {
  const { name, title = name } = registered;
  return {
    ...readingTool(registered, `${name}_status`, limits, tasks, async (task, { wait_seconds }, ctx) => {
      const asking = askingOf(ctx.client, registered);
      const read = await waitForSeconds(sameUntilAsked(task, asking), task, wait_seconds, limits, tasks, ctx);
      // A failed task is an answer of this tool, not an error.
      return read.task.status === "COMPLETED"
        ? await endedAnswer(read.task, tasks, formOf(registered))
        : toToolResult(withNote(formatResponse(read.task, undefined, asking), read.cut));
    }),
    title: `${title}: status`,
    description:
      `Tells how far a task of ${name} is, and its result once the status is COMPLETED. With wait_seconds it ` +
      "waits for a change of the status. FAILED or CANCELLED: `message` says why. INPUT_REQUIRED: it waits for a " +
      (registered.answers === "model"
        ? `person's answer to its \`questions\`: \`message\` says how to answer.`
        : "person who has to answer in another client."),
  };
}

function resultTool(registered: RegisteredJob, limits: WaitLimits, tasks: Tasks): SurfaceTool {
  const { name, title = name } = registered;
  return {
    ...readingTool(registered, `${name}_result`, limits, tasks, async (task, { wait_seconds, page }, ctx) => {
      const asking = askingOf(ctx.client, registered);
      const condition = (now: TaskInfo) => !awaitsModel(now, asking);
      const read = await waitForSeconds(condition, task, wait_seconds, limits, tasks, ctx);
      if (isFinished(read.task)) return await endedAnswer(read.task, tasks, formOf(registered), page);
      const response = withNote(formatResponse(read.task, undefined, asking), read.cut);
      if (wait_seconds !== undefined) return toToolResult(response);
      // The message of a task that waits for a person says what to do.
      const next = response.status === "INPUT_REQUIRED" ? "" : ` Call ${name}_status until it is COMPLETED.`;
      return toToolResult({ ...response, error: `Not ready: the task is ${response.status}.${next}` });
    }, { page: PAGE_SCHEMA }),
    title: `${title}: result`,
    description:
      `Fetches the result of a task of ${name}. With wait_seconds it waits for the end of the task, and tells ` +
      "how far it is if that does not come in time. Without it, a task that has not ended is an error.",
  };
}

/** How the results of a job are sent: pages of them by the result tool. */
function formOf(registered: RegisteredJob): ResultForm {
  return resultForm(registered, `${registered.name}_result`);
}

/** What a tool that reads a task takes besides its token. */
interface ReadingInput {
  readonly wait_seconds?: number;
  readonly page?: number;
}

/** A tool that reads a task, and may wait for it. */
function readingTool(
  registered: RegisteredJob,
  name: string,
  limits: WaitLimits,
  tasks: Tasks,
  read: (task: TaskInfo, input: ReadingInput, ctx: CallContext) => Promise<ToolResult>,
  more: { readonly [name: string]: JsonSchema } = {},
): Omit<SurfaceTool, "title" | "description"> {
  const { job } = registered;
  const schema = tokenSchema({ wait_seconds: waitSecondsSchema(limits), ...more });
  return {
    name,
    inputSchema: schema,
    outputSchema: responseSchema(job.outputSchema, questionsSchema([registered])),
    annotations: { readOnlyHint: true, idempotentHint: true },
    call: tokenCall(name, schema, async (given: ReadingInput & { readonly token: string }, ctx) => {
      const task = await taskOfJob(tasks, job.name, given.token, ctx.owner);
      return await read(task, given, ctx);
    }),
    resume: async (id, ctx, storeAnswers) => {
      const task = await storeAnswers(await taskOfJob(tasks, job.name, id, ctx.owner));
      return { kind: "result", result: await read(task, { wait_seconds: limits.most / 1_000 }, ctx) };
    },
  };
}

function cancelTool({ name: base, title = base, job }: RegisteredJob, tasks: Tasks): SurfaceTool {
  const name = `${base}_cancel`;
  return {
    name,
    title: `${title}: cancel`,
    description: `Cancels a task of ${base} that is not finished. \`message\` says whether its work has stopped.`,
    inputSchema: TOKEN,
    outputSchema: responseSchema(),
    annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true },
    call: tokenCall(name, TOKEN, async ({ token }, { owner }) => {
      await taskOfJob(tasks, job.name, token, owner);
      return toToolResult(formatResponse(await tasks.cancel(token, owner)));
    }),
  };
}
