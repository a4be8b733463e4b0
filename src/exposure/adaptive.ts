/**
 * The adaptive strategy: one tool per job, which gives each client the answer that it can use.
 *
 * @module
 */
import { checkOptions, flag, type Rule, type Rules, wholeNumber } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { isStuck, whenNobodyCanAnswer } from "./answers/asking.ts";
import { resultForm } from "./answers/call_result.ts";
import { nextStep } from "./answers/next_step.ts";
import { formatResponse, toToolResult } from "./answers/response.ts";
import { taskTemplates } from "./resources/templates.ts";
import { askingOf, lacksTasks, sharedNames } from "./shared_tools/jobs.ts";
import type { CallAnswer, CallContext, ExposureStrategy, Surface } from "./surface.ts";
import { waitWhile } from "./waiting_calls.ts";
import { answerWithResult, nativeTasks, waitingTool } from "./waiting_tool.ts";

/** The options of {@linkcode AdaptiveExposureStrategy}. */
export interface AdaptiveOptions {
  /**
   * How long a call of a client without tasks waits before it returns a handle, in ms, and how long `task_status` may wait;
   * with 0, a call returns a handle at once, and `task_status` waits up to 25 s. A registration may have its own. Default:
   * 25,000.
   */
  readonly answerWithin?: number;
  /** How long a call of a client that accepts tasks waits, in ms, because a short job needs no task. Default: 1,000. */
  readonly inlineWithin?: number;
  /**
   * The prefix of the shared tools' names, at most 53 letters, digits, `_` and `-`. Two servers of one client need different
   * ones. Default: `""`.
   */
  readonly toolPrefix?: string;
  /**
   * Whether the client that started a task is notified of every change, in revision 2025-11-25. In revision 2026-07-28
   * clients subscribe themselves. Default: `false`.
   */
  readonly notifications?: boolean;
}

const ANSWER_WITHIN_MS = 25_000;

/** Ensures names of the shared tools that every client accepts. */
const PREFIX: Rule = {
  expected: 'at most 53 letters, digits, "_" and "-"',
  fits: (value) => typeof value === "string" && /^[A-Za-z0-9_-]{0,53}$/.test(value),
};

const OPTIONS: Rules<AdaptiveOptions> = {
  answerWithin: wholeNumber(0),
  inlineWithin: wholeNumber(0),
  toolPrefix: PREFIX,
  notifications: flag,
};

/**
 * Gives each job one tool, whose answer depends on the client. A client that demands a task gets a task. One that accepts
 * tasks gets the result if the job ends within `inlineWithin`, otherwise a task. Any other client waits up to `answerWithin`
 * for the result; after that it gets a handle with a token, and the job goes on. The shared tools `task_status` and
 * `task_cancel` take the token, and `task_list` lists the tokens. The result is also the resource
 * `mcp://results/<job>/<task_id>`.
 *
 * @example
 * ```ts
 * import { AdaptiveExposureStrategy, AsyncToolServer, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const strategy = new AdaptiveExposureStrategy({ answerWithin: 10_000 });
 * const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend, strategy });
 * ```
 */
export class AdaptiveExposureStrategy implements ExposureStrategy {
  readonly #answerWithin: number;
  readonly #inlineWithin: number;
  readonly #prefix: string;
  readonly #notifications: boolean;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: AdaptiveOptions = {}) {
    checkOptions("AdaptiveExposureStrategy", options, OPTIONS);
    const { answerWithin = ANSWER_WITHIN_MS, inlineWithin = 1_000, toolPrefix = "", notifications = false } = options;
    this.#answerWithin = answerWithin;
    this.#inlineWithin = inlineWithin;
    this.#prefix = toolPrefix;
    this.#notifications = notifications;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const { description, taskSupport, answerWithin = this.#answerWithin } = registered;
    // A model has no clock: without a wait it would ask again at once.
    const statusWithin = answerWithin || this.#answerWithin || ANSWER_WITHIN_MS;
    const prefix = this.#prefix;
    const resultOrTask = async (begun: TaskInfo, { client, signal }: CallContext): Promise<CallAnswer> => {
      if (client.tasks === "demanded") return { kind: "task", task: begun };
      // The questions of a job are asked through its task.
      const waits = startsWithin(begun, this.#inlineWithin) ? this.#inlineWithin : 0;
      const task = await waitWhile(({ status }) => status !== "INPUT_REQUIRED", begun, waits, tasks, { signal });
      // The client does not see the shared tools, and reads the pages of a large result as resources.
      return isFinished(task) ? await answerWithResult(task, tasks, resultForm(registered)) : { kind: "task", task };
    };
    const resultOrHandle = async (begun: TaskInfo, ctx: CallContext): Promise<CallAnswer> => {
      const { client } = ctx;
      // A client that has given up a call before gets a handle in time, whose next step is as short.
      const patience = tasks.patienceFor(begun);
      const most = Math.min(answerWithin, patience);
      const waits = startsWithin(begun, most) ? most : 0;
      // If a question waits for somebody else's answer, the model has to know.
      const leavesQuestions = whenNobodyCanAnswer(registered, "cancel") === "wait";
      const task = await waitWhile((now) => !leavesQuestions || !isStuck(now, client), begun, waits, tasks, ctx);
      const form = resultForm(registered, sharedNames(prefix).status);
      if (isFinished(task)) return await answerWithResult(task, tasks, form);
      const asking = askingOf(client, registered, prefix);
      const next = nextStep(task, prefix, Math.min(statusWithin, patience), asking);
      return { kind: "result", result: toToolResult({ ...formatResponse(task, undefined, asking), next }) };
    };
    const withHandle = `${description}\n\nIf it takes longer than this call waits, it returns a token: ` +
      `call ${sharedNames(prefix).status} with it for the result.`;
    const answer = (task: TaskInfo, ctx: CallContext) =>
      ctx.client.tasks === "none" ? resultOrHandle(task, ctx) : resultOrTask(task, ctx);
    return {
      tools: [{
        ...waitingTool(registered, tasks, answer),
        description: withHandle,
        describedTo: (client) => lacksTasks(client) ? withHandle : description,
        taskSupport,
      }],
      templates: taskTemplates(registered, tasks),
      shared: { registered, prefix, answerWithin: statusWithin },
      tasks: nativeTasks(registered, this.#notifications, prefix),
    };
  }
}

/** Whether a task starts within `ms`, so that a waiting call may see its end. */
function startsWithin(task: TaskInfo, ms: number): boolean {
  return isFinished(task) || task.dueAt === undefined || task.dueAt - task.updatedAt <= ms;
}
