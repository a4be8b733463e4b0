/**
 * A plain call of a tool: it waits, tells of progress, and passes on what the job asks.
 *
 * @module
 */
import { INVALID_PARAMS, ProtocolError, type Result, SdkError } from "@modelcontextprotocol/server";
import { InvalidInput, JobsError } from "../../errors.ts";
import { fitted } from "../../exposure/fitted.ts";
import {
  CallCancelled,
  type CallContext,
  CallerGone,
  type SurfaceTool,
  type ToolResult,
} from "../../exposure/surface.ts";
import type { TaskInfo } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { RequestContext } from "../host.ts";
import { readableIn } from "../older_revisions.ts";
import { answersTo, inputRequired } from "../rev_2026_07_28/wire.ts";
import type { TaskCalls } from "../generation.ts";
import { openQuestions, progressTo, putAgain } from "../words.ts";

/** Why a call stops to wait: its answer is the questions of its task, and the client calls again with the answers. */
class InputNeeded extends JobsError {
  constructor(readonly task: TaskInfo) {
    super(`Task ${task.id} asks for input.`);
  }
}

/** The answers of a call that were not taken, by the keys of their questions. */
type Refused = Map<string, InvalidInput>;

/** What a plain call needs of its connection. */
interface Plain {
  readonly tasks: Tasks;
  readonly owner: string;
  /** Puts what the job asks to the client, in the form of its generation. */
  readonly calls: TaskCalls;
  /** The revision that the client speaks. */
  readonly revision: string | undefined;
}

/** Calls a tool and waits. */
export function callPlainly(tool: SurfaceTool, input: unknown, ctx: RequestContext, plain: Plain): Promise<Result> {
  return waitFor(tool, (call) => tool.call(input, call), ctx, plain);
}

/**
 * Waits on for the task of an earlier call, once the answers that came with this one are stored. A question whose answer
 * does not fit is put again: an error would end the call for its client, and leave the task to nobody.
 */
export function resumePlainly(tool: SurfaceTool, id: string, ctx: RequestContext, plain: Plain): Promise<Result> {
  const { resume } = tool;
  if (resume === undefined) throw new TypeError(`Cannot go on with a call of ${tool.name}: its calls do not wait.`);
  const refused: Refused = new Map();
  const answer = (task: TaskInfo) => takeAnswers(plain.tasks, task, ctx, refused);
  return waitFor(tool, (call) => resume.call(tool, id, call, answer), ctx, plain, refused);
}

async function waitFor(
  { outputSchema }: SurfaceTool,
  run: (call: CallContext) => Promise<ToolResult>,
  ctx: RequestContext,
  { owner, calls, revision }: Plain,
  refused: Refused = new Map(),
): Promise<Result> {
  const given = new AbortController();
  const ended = new AbortController();
  const { signal, _meta, notify } = ctx.mcpReq;
  // The SDK aborts with an error of its own when the connection is gone, and else with the client's reason, if there is
  // one. To close the connection is how a 2026-07-28 client cancels over HTTP (Streamable HTTP, "Cancellation"). A stdio
  // client cannot come back. A 2025-11-25 client can, over HTTP, and resume the stream.
  const closingCancels = ctx.mcpReq.envelope !== undefined || ctx.http === undefined;
  const giveUp = () => {
    const gone = signal.reason instanceof SdkError;
    given.abort(gone ? new CallerGone(closingCancels) : new CallCancelled("The call was cancelled."));
  };
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  const token = _meta?.progressToken;
  const tell = token !== undefined &&
    progressTo(token, (params) => void notify({ method: "notifications/progress", params }).catch(() => {}));
  const call: CallContext = {
    owner,
    signal: given.signal,
    onChange: (task) => {
      if (tell) tell(task);
      if (openQuestions(task).length > 0 && calls.ask(task, ctx, ended.signal)) given.abort(new InputNeeded(task));
    },
  };
  try {
    return { ...readableIn(revision, fitted(await run(call), outputSchema !== undefined)) };
  } catch (error) {
    if (!(error instanceof InputNeeded)) throw error;
    const questions = openQuestions(error.task).map((question) => {
      const why = refused.get(question.key);
      return why ? putAgain(question, why) : question;
    });
    return { ...inputRequired(questions, error.task.id) };
  } finally {
    ended.abort();
    signal.removeEventListener("abort", giveUp);
  }
}

/** The id of the task of an earlier call that was answered with questions. 2025-11-25 has no such calls. */
export function begunBefore(ctx: RequestContext): string | undefined {
  if (ctx.mcpReq.envelope === undefined) return undefined;
  const id = ctx.mcpReq.requestState();
  if (id === undefined || typeof id === "string") return id;
  throw new ProtocolError(INVALID_PARAMS, "Invalid requestState.");
}

/** Stores the answers that came with the call, each by itself, and keeps in `refused` why one does not fit. */
async function takeAnswers(tasks: Tasks, task: TaskInfo, ctx: RequestContext, refused: Refused): Promise<void> {
  for (const [key, answer] of Object.entries(answersTo(task, ctx.mcpReq.inputResponses ?? {}))) {
    try {
      await tasks.answer(task.id, task.owner, { [key]: answer });
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      refused.set(key, error);
    }
  }
}
