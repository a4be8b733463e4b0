/**
 * The blocking strategy: one tool per job, whose calls wait for the result up to a limit.
 *
 * @module
 */
import { TaskFinished, ToolError } from "../errors.ts";
import { checkOptions, type Rules, wholeNumber } from "../options.ts";
import type { RegisteredJob } from "../registry.ts";
import { isFinished, type TaskInfo } from "../task.ts";
import type { Caller } from "../tasks/callers/caller.ts";
import type { Tasks } from "../tasks/tasks.ts";
import { resultForm } from "./answers/call_result.ts";
import { taskTemplates } from "./resources/templates.ts";
import type { CallAnswer, CallContext, ExposureStrategy, ResultForm, Surface } from "./surface.ts";
import { waitWhile } from "./waiting_calls.ts";
import { answerWithResult, waitingTool } from "./waiting_tool.ts";

/** The options of {@linkcode BlockingExposureStrategy}. */
export interface BlockingOptions {
  /** How long a call waits before it cancels its task, also that of a job with `cancel: false`, in ms. Default: 60,000. */
  readonly maxWait?: number;
}

const OPTIONS: Rules<BlockingOptions> = { maxWait: wholeNumber(1) };

/**
 * Gives each job one tool whose calls wait for the result. A task that has not ended within `maxWait` is cancelled, unless
 * another call waits for it, and the call says so. For short jobs whose callers want a result or nothing.
 *
 * @example
 * ```ts
 * import { AsyncToolServer, BlockingExposureStrategy, MemoryBackend } from "@mcp-jobs/mcp-jobs";
 * await using backend = new MemoryBackend();
 * const strategy = new BlockingExposureStrategy({ maxWait: 30_000 });
 * const server = new AsyncToolServer({ name: "reports", version: "1.0.0", backend, strategy });
 * ```
 */
export class BlockingExposureStrategy implements ExposureStrategy {
  readonly #maxWait: number;

  /** Throws `DefinitionError` for an option that is unknown or cannot be used. */
  constructor(options: BlockingOptions = {}) {
    checkOptions("BlockingExposureStrategy", options, OPTIONS);
    this.#maxWait = options.maxWait ?? 60_000;
  }

  /** Returns the tool and the resource template of a job. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface {
    const form = resultForm(registered);
    return {
      tools: [
        waitingTool(
          registered,
          tasks,
          (task, ctx, caller) => resultOrCancel(task, tasks, ctx, { caller, maxWait: this.#maxWait, form }),
          this.#maxWait, // A task that starts later would be cancelled before it begins.
        ),
      ],
      templates: taskTemplates(registered, tasks),
    };
  }
}

/** How long a call waits, for whom, and in which form it returns the result. */
interface Waiting {
  readonly caller: Caller;
  readonly maxWait: number;
  readonly form: ResultForm;
}

/**
 * Waits for the result of a task, and cancels the task if it takes too long, because its caller cannot read it later. A
 * task that other calls wait for goes on.
 */
async function resultOrCancel(
  begun: TaskInfo,
  tasks: Tasks,
  ctx: CallContext,
  { caller, maxWait, form }: Waiting,
): Promise<CallAnswer> {
  const waited = await waitWhile(() => true, begun, maxWait, tasks, ctx);
  if (isFinished(waited)) return await answerWithResult(waited, tasks, form);
  tasks.over.throwIfAborted(); // The server ends, and not the time of the call: the next call receives the task.
  const late = `${begun.job} did not end within ${maxWait / 1_000} s`;
  if (await caller.leaveToOthers()) throw new ToolError(`${late}. It goes on for another caller.`);
  const ended = await cancelled(waited, tasks);
  if (ended) return await answerWithResult(ended, tasks, form);
  throw new ToolError(`${late}, and was cancelled. Try it with a smaller input.`);
}

/** Cancels a task. Resolves with the task if it has ended by itself meanwhile. */
async function cancelled({ id, owner }: TaskInfo, tasks: Tasks): Promise<TaskInfo | undefined> {
  try {
    await tasks.cancel(id, owner, "It did not end in time.");
  } catch (error) {
    if (!(error instanceof TaskFinished)) throw error;
    return await tasks.get(id, owner);
  }
}
