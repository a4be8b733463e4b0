/**
 * The single-tool strategy: one tool per job, with an action to start, check or cancel a task.
 *
 * @module
 */
import { InvalidInput } from "../errors.ts";
import { checkOptions, type Rules, wholeNumber } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import { type PerCallField, withPerCall } from "../schema/per_call.ts";
import { relocateSchema } from "../schema/relocate.ts";
import { validate } from "../schema/schema.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { whenNobodyCanAnswer } from "./answers/asking.ts";
import { resultForm } from "./answers/call_result.ts";
import { waiting } from "./answers/next_step.ts";
import { formatResponse, PAGE_PROPERTIES, questionsSchema, responseSchema, toToolResult } from "./answers/response.ts";
import { taskTemplates } from "./resources/templates.ts";
import { endedAnswer, explainErrors, PAGE_SCHEMA } from "./answers/token_answer.ts";
import { answeringOf } from "./shared_tools/answering.ts";
import { askingOf } from "./shared_tools/jobs.ts";
import type { CallContext, ExposureStrategy, ResultForm, Surface, SurfaceTool, ToolResult } from "./surface.ts";
import { taskOfJob } from "./task_of_job.ts";
import { sameUntilAsked, waitForSeconds, type WaitLimits, waitSecondsSchema, withNote } from "./wait_seconds.ts";

/** The options of {@linkcode SingleToolExposureStrategy}. */
export interface SingleToolOptions {
  /** The longest wait for `wait_seconds` of a check, in ms. Default: 25,000. */
  readonly answerWithin?: number;
}

const OPTIONS: Rules<SingleToolOptions> = { answerWithin: wholeNumber(0) };

/**
 * Gives each job one tool with an `action`: `start` takes the job's `input` and returns a token; `check` takes the token,
 * and returns the status and, once the task is COMPLETED, the result; `cancel` cancels the task, if the registration allows
 * it. For clients with room for few tools. It does not ask for the fields of `askFor`.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, MemoryBackend, SingleToolExposureStrategy } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const strategy = new SingleToolExposureStrategy();
 * const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend, strategy });
 * ```
 */
export class SingleToolExposureStrategy implements ExposureStrategy {
  readonly #answerWithin: number;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: SingleToolOptions = {}) {
    checkOptions("SingleToolExposureStrategy", options, OPTIONS);
    this.#answerWithin = options.answerWithin ?? 25_000;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const limits = {
      most: registered.answerWithin ?? this.#answerWithin,
      byDefault: 0,
      whenNobodyCanAnswer: whenNobodyCanAnswer(registered, "wait"),
    };
    const read = `call ${registered.name} with action "check", this token${waiting(limits.most)}`;
    return {
      tools: [jobTool(registered, limits, tasks)],
      templates: taskTemplates(registered, tasks),
      ...answeringOf(registered, { form: formOf(registered), read: () => read }),
    };
  }
}

/** The input of a call, with what its action needs. */
type ActionInput =
  | { readonly action: "start"; readonly input?: object } & { readonly [field in PerCallField]?: unknown }
  | { readonly action: "check"; readonly token: string } & CheckInput
  | { readonly action: "cancel"; readonly token: string };

/** What else a check takes. */
interface CheckInput {
  readonly wait_seconds?: number;
  readonly page?: number;
}

/** The input before it is checked for a token. */
type GivenInput = ActionInput | { readonly action: "check" | "cancel"; readonly token?: undefined };

function jobTool(registered: RegisteredJob, limits: WaitLimits, tasks: Tasks): SurfaceTool {
  const { name, title, description, job, cancel } = registered;
  const schema = actionSchema(registered, limits);
  const form = formOf(registered);
  const seconds = Math.floor(limits.most / 1_000);
  const check = async (task: TaskInfo, { wait_seconds, page }: CheckInput, ctx: CallContext): Promise<ToolResult> => {
    const asking = askingOf(ctx.client, registered);
    const condition = sameUntilAsked(task, asking);
    const { task: now, cut } = await waitForSeconds(condition, task, wait_seconds, limits, tasks, ctx);
    if (isFinished(now)) return await endedAnswer(now, tasks, form, page);
    return toToolResult(withNote(formatResponse(now, undefined, asking), cut));
  };
  const act = async (given: ActionInput, ctx: CallContext): Promise<ToolResult> => {
    if (given.action === "start") {
      const { action: _, input, ...perCall } = given;
      refuseWithin(input, registered);
      const { owner, idempotencyKey, trace } = ctx;
      const task = await tasks.start(registered, { ...input, ...perCall }, owner, { idempotencyKey, trace })
        .catch((error) => {
          throw belowInput(error, registered);
        });
      return toToolResult(formatResponse(await tasks.explain(task)));
    }
    const { token } = given;
    return await explainErrors(token, async () => {
      const task = await taskOfJob(tasks, job.name, token, ctx.owner);
      if (given.action === "check") return await check(task, given, ctx);
      return toToolResult(formatResponse(await tasks.cancel(token, ctx.owner)));
    });
  };
  return {
    name,
    title,
    description: `${description}\n\nRuns in the background and may take minutes. action "start" takes the input and ` +
      `returns a token; action "check" with the token and wait_seconds ${seconds} waits for a change of the status, ` +
      "and returns the result once it is COMPLETED" +
      (cancel ? '; action "cancel" with the token cancels it.' : "."),
    inputSchema: schema,
    outputSchema: responseSchema(job.outputSchema, { ...questionsSchema([registered]), ...PAGE_PROPERTIES }),
    annotations: job.annotations,
    call: async (input, ctx) => {
      const valid = await validate(schema, input, inputOf(name)).catch((error) => {
        throw besideInput(error, schema, job.inputSchema);
      });
      const given = withTarget(valid as GivenInput, name);
      return { kind: "result", result: await act(given, ctx) };
    },
    resume: async (id, ctx, storeAnswers) => {
      const task = await storeAnswers(await taskOfJob(tasks, job.name, id, ctx.owner));
      return { kind: "result", result: await check(task, { wait_seconds: limits.most / 1_000 }, ctx) };
    },
  };
}

/** How the results of a job are sent: pages of them by a check. */
function formOf(registered: RegisteredJob): ResultForm {
  return resultForm(registered, `${registered.name} with action "check"`);
}

function actionSchema({ job, cancel, perCall }: RegisteredJob, limits: WaitLimits): JsonSchema {
  const schema: JsonSchema = {
    type: "object",
    properties: {
      action: { type: "string", enum: cancel ? ["start", "check", "cancel"] : ["start", "check"] },
      input: { description: "For start", ...relocateSchema(job.inputSchema, "#/properties/input") },
      token: { type: "string", description: `For check${cancel ? " and cancel" : ""}: the token that start returned` },
      wait_seconds: waitSecondsSchema(limits, "For check: how"),
      page: PAGE_SCHEMA,
    },
    required: ["action"],
    additionalProperties: false,
  };
  return withPerCall(schema, perCall);
}

/** The same error, with the place in the call of each mistake in the job's input: that stands in the field `input`. */
function belowInput(error: unknown, { name, perCall }: RegisteredJob): unknown {
  if (!(error instanceof InvalidInput) || error.what !== inputOf(name)) return error;
  const issues = error.issues.map(({ path, message }) => {
    if (perCall.some((field) => field === path)) return { path, message };
    return { path: path === "" ? "input" : `input.${path}`, message };
  });
  return new InvalidInput(error.what, issues, error.rest);
}

/** The same error; for each field of the job that stands beside `input` it says so. */
function besideInput(error: unknown, ofTool: JsonSchema, ofJob: JsonSchema): unknown {
  if (!(error instanceof InvalidInput)) return error;
  const issues = error.issues.map(({ path, message }) => {
    const isMisplaced = hasField(ofJob, path) && !hasField(ofTool, path);
    return { path, message: isMisplaced ? "is not allowed here: it belongs into input" : message };
  });
  return new InvalidInput(error.what, issues, error.rest);
}

/** Throws `InvalidInput` for a field in `input` that the call has beside it. */
function refuseWithin(input: object = {}, { name, perCall }: RegisteredJob): void {
  const misplaced = perCall.filter((field) => Object.hasOwn(input, field));
  if (misplaced.length === 0) return;
  const issues = misplaced.map((field) => ({
    path: `input.${field}`,
    message: "is not allowed here: it belongs beside input",
  }));
  throw new InvalidInput(inputOf(name), issues);
}

function hasField({ properties }: JsonSchema, name: string): boolean {
  return Object.hasOwn(Object(properties), name);
}

/** What errors call the input of a call. */
function inputOf(name: string): string {
  return `input for ${name}`;
}

/** Throws `InvalidInput` for a check or cancellation without a token. Few models understand a JSON Schema that requires it. */
function withTarget(given: GivenInput, name: string): ActionInput {
  if (given.action === "start" || given.token !== undefined) return given;
  const message = `is missing: ${given.action} needs the token that start returned`;
  throw new InvalidInput(inputOf(name), [{ path: "token", message }]);
}
