/**
 * The single-tool strategy: one tool per job, with an action to start, check or cancel a task.
 *
 * @module
 */
import { InvalidInput } from "../errors.ts";
import { checkOptions, type Rules, wholeNumber } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import { placed } from "../schema/placed.ts";
import { validate } from "../schema/schema.ts";
import type { TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { formatResponse, responseSchema } from "./answers/response.ts";
import { resultsOf } from "./answers/results.ts";
import { answer, explained, responseOf } from "./answers/token_answer.ts";
import type { CallContext, ExposureStrategy, Surface, SurfaceTool, ToolResult } from "./surface.ts";
import { ofJob } from "./task_of_job.ts";
import { unchanged, waitAsAsked, type WaitLimits, waitProperty } from "./wait_seconds.ts";

/** What {@linkcode SingleToolExposureStrategy} takes. */
export interface SingleToolOptions {
  /** The longest wait that `wait_seconds` of a check may ask for, in ms; default 25,000. */
  readonly answerWithin?: number;
}

const OPTIONS: Rules<SingleToolOptions> = { answerWithin: wholeNumber(0) };

/**
 * Gives each job one tool with an `action`: `start` takes the job's `input` and returns a token, `check` takes the token
 * and says how the task stands, with its result once it is there, and `cancel`, where the registration allows it, cancels
 * the task. For clients with room for few tools. Nobody is asked for the fields of `askFor`.
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

  /** Takes how long a check waits. Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: SingleToolOptions = {}) {
    checkOptions("SingleToolExposureStrategy", options, OPTIONS);
    this.#answerWithin = options.answerWithin ?? 25_000;
  }

  /** Gives a job its tool and its resource template. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const limits = { most: registered.answerWithin ?? this.#answerWithin, unsaid: 0 };
    return { tools: [jobTool(registered, limits, tasks)], templates: [resultsOf(registered, tasks)] };
  }
}

/** What a call gives, once it has the form of its action. */
type ActionInput =
  | { readonly action: "start"; readonly input?: unknown }
  | { readonly action: "check"; readonly token: string; readonly wait_seconds?: number }
  | { readonly action: "cancel"; readonly token: string };

/** What a call gives before. */
type GivenInput = ActionInput | { readonly action: "check" | "cancel"; readonly token?: undefined };

function jobTool(registered: RegisteredJob, limits: WaitLimits, tasks: Tasks): SurfaceTool {
  const { name, title, description, job, cancel } = registered;
  const schema = actionSchema(registered, limits);
  const check = async (task: TaskInfo, seconds: number | undefined, ctx: CallContext): Promise<ToolResult> => {
    const { task: now, cut } = await waitAsAsked(unchanged(task), task, seconds, limits, tasks, ctx);
    const response = await responseOf(now, tasks);
    return answer(cut === undefined ? response : { ...response, message: [response.message, cut].join(" ").trim() });
  };
  const act = async (given: ActionInput, ctx: CallContext): Promise<ToolResult> => {
    if (given.action === "start") {
      return answer(formatResponse(await tasks.start(registered, given.input ?? {}, ctx.owner)));
    }
    const { token } = given;
    return await explained(token, async () => {
      const task = await ofJob(tasks, job.name, token, ctx.owner);
      if (given.action === "check") return await check(task, given.wait_seconds, ctx);
      return answer(formatResponse(await tasks.cancel(token, ctx.owner)));
    });
  };
  return {
    name,
    title,
    description: `${description}\n\nRuns in the background and may take minutes. action "start" takes the input and ` +
      'returns a token; action "check" with the token returns the status, and the result once it is COMPLETED' +
      (cancel ? '; action "cancel" with the token cancels it.' : "."),
    inputSchema: schema,
    outputSchema: responseSchema(job.outputSchema),
    annotations: job.annotations,
    call: async (input, ctx) => {
      const given = withTarget(await validate(schema, input, `input for ${name}`) as GivenInput, name);
      return { kind: "result", result: await act(given, ctx) };
    },
    resume: async (id, ctx, storeAnswers) => {
      const task = await ofJob(tasks, job.name, id, ctx.owner);
      await storeAnswers(task);
      return { kind: "result", result: await check(task, limits.most / 1_000, ctx) };
    },
  };
}

function actionSchema({ job, cancel }: RegisteredJob, limits: WaitLimits): JsonSchema {
  return {
    type: "object",
    properties: {
      action: { type: "string", enum: cancel ? ["start", "check", "cancel"] : ["start", "check"] },
      input: placed(job.inputSchema, "#/properties/input"),
      token: { type: "string", description: "For check and cancel: the token that start returned" },
      wait_seconds: waitProperty(limits),
    },
    required: ["action"],
    additionalProperties: false,
  };
}

/** Throws `InvalidInput` for a check or a cancellation without a token: JSON Schema says so in a way that few models read. */
function withTarget(given: GivenInput, name: string): ActionInput {
  if (given.action === "start" || given.token !== undefined) return given;
  const message = `is missing: ${given.action} needs the token that start returned`;
  throw new InvalidInput(`input for ${name}`, [{ path: "token", message }]);
}
