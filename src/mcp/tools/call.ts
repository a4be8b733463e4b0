/**
 * A call of a tool: it waits, reports progress, passes on what the job asks, and returns a result or a task.
 *
 * @module
 */
import { type Result, SdkError } from "@modelcontextprotocol/server";
import { InvalidInput, JobsError, Unavailable } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { describeQuestions } from "../../exposure/answers/asking.ts";
import { fitted } from "../../exposure/answers/fitted.ts";
import {
  type CallAnswer,
  CallCancelled,
  type CallClient,
  type CallContext,
  CallerGone,
  CallTimedOut,
  type LostCall,
  type SurfaceTool,
} from "../../exposure/surface.ts";
import type { Json, TaskInfo } from "../../task.ts";
import { messageOf } from "../../text.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import type { RequestContext } from "../host.ts";
import type { Peer } from "../peer.ts";
import { RESUMED_ELSEWHERE } from "../messages/message.ts";
import { traceOf } from "../messages/request_trace.ts";
import { doneWithin } from "../../waiting.ts";
import type { CallLog, Client, Connection, TaskRequest } from "../revision.ts";
import { CallProgress } from "./call_progress.ts";
import { cancelQuestions, questionsToElicit, withReason } from "../questions.ts";

/**
 * The reason that ends a call's wait when it has to return the questions of its task; the client calls again with the
 * answers.
 */
class InputNeeded extends JobsError {
  constructor(readonly result: Result) {
    super("The task of this call asks for input.");
  }
}

/** How long the answer of a call waits for the last lines that its task has logged to be sent, in ms. */
const LAST_LINES_MS = 1_000;

/** Why answers that came with a call do not fit, by the keys of their questions. */
type Misfits = Map<string, InvalidInput>;

/** What a call needs of its connection. */
export interface CallSite extends Peer {
  readonly tool: string;
  readonly tasks: Tasks;
  readonly connection: Connection;
  /** How the client accepts a task, if it does. */
  readonly request: TaskRequest | undefined;
  /** When the client has closed the stream of a call, in ms since the epoch; `undefined` while it reads it. */
  readonly closedAt: (ctx: RequestContext) => number | undefined;
  /** Called as a call is answered, with what to do if the client does not receive the answer. */
  readonly onAnswer: (ctx: RequestContext, lost: () => void) => void;
}

export function callTool(tool: SurfaceTool, input: unknown, ctx: RequestContext, site: CallSite): Promise<Result> {
  return waitFor((call) => tool.call(input, call), ctx, site);
}

/** Goes on waiting for the task of a call that was lost with its server. Its input is not known here. */
export function continueLost(tool: SurfaceTool, lost: LostCall, ctx: RequestContext, site: CallSite): Promise<Result> {
  return waitFor((call) => resumeOf(tool)(lost.task, { ...call, lost }, (task) => Promise.resolve(task)), ctx, site);
}

/**
 * Goes on waiting for the task of an earlier call, after it has stored the answers that came with this one. A question
 * whose answer does not fit is asked again: an error would end the call, and nobody else knows the task.
 */
export function resumeTool(
  tool: SurfaceTool,
  id: string,
  input: { readonly [name: string]: unknown },
  ctx: RequestContext,
  site: CallSite,
): Promise<Result> {
  const resume = resumeOf(tool);
  // Fields for which the person was asked are not in what the client sends again.
  const isWhole = tool.askFor?.every(({ key }) => Object.hasOwn(input, key)) ?? true;
  const misfits: Misfits = new Map();
  return waitFor(
    (call) => resume(id, call, (task) => storeAnswers(task, ctx, site, misfits), isWhole ? input : undefined),
    ctx,
    site,
    misfits,
  );
}

function resumeOf(tool: SurfaceTool): NonNullable<SurfaceTool["resume"]> {
  if (tool.resume) return tool.resume.bind(tool);
  throw new TypeError(`Cannot go on with a call of ${tool.name}: its calls do not wait.`);
}

async function waitFor(
  run: (call: CallContext) => Promise<CallAnswer>,
  ctx: RequestContext,
  { tool, tasks, owner, known, connection, request, closedAt, onAnswer }: CallSite,
  misfits?: Misfits,
): Promise<Result> {
  const given = new AbortController();
  // Only questions need it, and a signal is large for a call that waits.
  let ended: AbortController | undefined;
  const { signal, _meta, notify } = ctx.mcpReq;
  const giveUp = () => given.abort(whyOver(signal.reason, ctx));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  const token = _meta?.progressToken;
  const notifyProgress = (params: Record<string, Json>) =>
    void notify({ method: "notifications/progress", params }).catch(() => {}); // The client is gone.
  using progress = token === undefined ? undefined : new CallProgress(token, notifyProgress);
  const client = { ...clientOf(request, connection.client(ctx)), progress: token !== undefined, known };
  let log: CallLog | undefined;
  const followLog = (task: TaskInfo) => {
    if (request === undefined) log ??= connection.followLog?.(task, ctx);
  };
  const call: CallContext = {
    owner,
    client,
    idempotencyKey: idempotencyKeyOf(_meta),
    trace: traceOf(ctx),
    signal: given.signal,
    closedAt: () => closedAt(ctx),
    isOnlyClient: ctx.http === undefined,
    session: ctx.sessionId,
    onAnswer: (lost) => onAnswer(ctx, lost),
    onTask: (task, ifLost) => {
      followLog(task);
      if (request === undefined) connection.waits?.(tool, ifLost, ctx);
    },
    onChange: (task, whenNobodyCanAnswer = "cancel") => {
      followLog(task);
      const cancels = whenNobodyCanAnswer === "cancel";
      progress?.report(describeQuestions(task, { ...client, cancels }));
      const { askable, others } = questionsToElicit(task, client);
      if (cancels && others.length > 0) {
        ended ??= new AbortController();
        void cancelQuestions(tasks, task, others, ended.signal);
      }
      if (askable.length === 0) return;
      const questions = askable.map((question) => withReason(question, misfits?.get(question.key)));
      const result = connection.ask(task, questions, ctx);
      if (result) given.abort(new InputNeeded(result));
    },
  };
  try {
    const answer = await run(call);
    if (log) await doneWithin(log.sent(), LAST_LINES_MS);
    return answer.kind === "task" ? connection.created(answer.task, ctx) : connection.completed(fitted(answer.result));
  } catch (error) {
    if (!(error instanceof InputNeeded)) throw error;
    return error.result;
  } finally {
    log?.[Symbol.dispose]();
    ended?.abort();
    signal.removeEventListener("abort", giveUp);
  }
}

/**
 * Whether the reason that a client gives for a cancellation says that its time limit for the call has passed. Rust's SDK says
 * "abandoned by the caller" then, but also if a person has stopped the call. docs/protocol.md has the texts of clients.
 */
export function isTimeOut(reason: unknown): boolean {
  return /time[d ]?[ -]?out|deadline exceeded|abandoned by the caller/i.test(messageOf(reason));
}

/** Why a call ended before its response. */
function whyOver(reason: unknown, { http }: RequestContext): JobsError {
  // The SDK aborts with an error of its own when the connection is gone, otherwise with the client's reason, if any. A
  // client that is gone from stdio ends this server, too; one over HTTP may have lost its stream, or run out of time.
  if (reason === RESUMED_ELSEWHERE) return new Unavailable("Another process goes on with this call.");
  if (reason instanceof SdkError) return new CallerGone(http === undefined);
  return isTimeOut(reason)
    ? new CallTimedOut("The client's time limit for the call has passed.")
    : new CallCancelled("The call was cancelled.");
}

/** The name under which a client gives a call its own key, in `_meta`. */
const IDEMPOTENCY_KEY = "mcp-jobs/idempotencyKey";

function idempotencyKeyOf(meta: unknown): string | undefined {
  const key = isObject(meta) ? meta[IDEMPOTENCY_KEY] : undefined;
  if (key === undefined || typeof key === "string" && key !== "") return key;
  throw new InvalidInput(`_meta["${IDEMPOTENCY_KEY}"]`, [{ path: "", message: "must be a text that is not empty" }]);
}

function clientOf(
  request: TaskRequest | undefined,
  { elicitation, urls }: Client,
): Omit<CallClient, "progress" | "known"> {
  const tasks = request === undefined ? "none" : request.demanded ? "demanded" : "accepted";
  return { tasks, ttl: request?.ttl, elicitation, urls };
}

/** Stores the answers that came with the call, each by itself. Returns the task as it is then, and fills `misfits`. */
async function storeAnswers(
  before: TaskInfo,
  ctx: RequestContext,
  { tasks, connection }: CallSite,
  misfits: Misfits,
): Promise<TaskInfo> {
  let task = before;
  for (const [key, answer] of Object.entries(connection.answers(before, ctx))) {
    try {
      task = await tasks.answer(task.id, task.owner, () => ({ [key]: answer }));
    } catch (error) {
      if (!(error instanceof InvalidInput)) throw error;
      misfits.set(key, error);
    }
  }
  return task;
}
