/**
 * Surfaces: what an MCP client sees of a job, as plain data, independent of the revision and the SDK.
 *
 * @module
 */
import type { TraceContext } from "../contract/trace.ts";
import { JobsError } from "../errors.ts";
import type { JobAnnotations } from "../job.ts";
import type { RegisteredJob, TaskSupport } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import type { ContentPart, Json, Question, TaskInfo } from "../task.ts";
import type { CallOrigin } from "../tasks/callers/offers.ts";
import type { Tasks } from "../tasks/tasks.ts";
import type { Asking } from "./answers/asking.ts";

/** A block of a tool result's content. */
export type ContentBlock =
  | Exclude<ContentPart, { readonly type: "file" }>
  | { readonly type: "resource"; readonly resource: ResourceContent };

/** What a resource contains, as text or as base64. */
export type ResourceContent =
  & {
    /** The URI. */
    readonly uri: string;
    /** The media type. */
    readonly mimeType?: string;
    /** Data for the client's own code. */
    readonly _meta?: { readonly [key: string]: Json };
  }
  & ({ readonly text: string } | { readonly blob: string });

/** What a tool call returns: a `CallToolResult` of the MCP specification. */
export interface ToolResult {
  /** What the model reads. */
  readonly content: readonly ContentBlock[];
  /** The result as data. */
  readonly structuredContent?: { readonly [key: string]: Json };
  /** Whether the call of the tool failed. */
  readonly isError?: boolean;
  /** Data for the client's own code. */
  readonly _meta?: { readonly [key: string]: Json };
}

/** What the client of a call can do. */
export interface CallClient {
  /**
   * `"demanded"`: the answer to this call must be a task. `"accepted"`: it may be a result or a task. `"none"`: it must be a
   * result.
   */
  readonly tasks: "none" | "accepted" | "demanded";
  /** How long the client wants the result of the task to be kept, in ms; absent if it does not say. */
  readonly ttl?: number;
  /** Whether it can ask a person to fill in a form. */
  readonly elicitation: boolean;
  /** Whether it can ask a person to open a page. Default: `false`. */
  readonly urls?: boolean;
  /** Whether it receives progress while the call waits. */
  readonly progress: boolean;
  /** Whether its principal is known: only then may it list tasks. Default: `false`. */
  readonly known?: boolean;
}

/** The answer to a call: its result, or the task that will have it. */
export type CallAnswer =
  | { readonly kind: "result"; readonly result: ToolResult }
  | { readonly kind: "task"; readonly task: TaskInfo };

/** A plain call that waits, as the next server continues it if its own is killed. */
export interface LostCall {
  /** The id of its task. */
  readonly task: string;
  /** What it has in common with calls that may take its task over; absent if none may. */
  readonly identity?: string;
}

/** The caller of a tool, and the call. */
export interface CallContext extends CallOrigin {
  /** The principal. */
  readonly owner: string;
  /** What the client can do. */
  readonly client: CallClient;
  /** The caller's own key of this call: a repeated call with it finds the task of the first. */
  readonly idempotencyKey?: string;
  /** The trace that the call names. */
  readonly trace?: TraceContext;
  /** Aborts with `CallCancelled`, `CallTimedOut` or `CallerGone` when the caller no longer waits. */
  readonly signal: AbortSignal;
  /** The call that it continues, if that one was lost with its server. */
  readonly lost?: LostCall;
  /** Receives the task that the call waits for, before it waits, and how another server would continue the call. */
  readonly onTask?: (task: TaskInfo, ifLost: LostCall) => void;
  /**
   * Receives each change of the task while the call waits, and puts its questions to the client. Those that the client
   * cannot ask wait for whoever else can answer, or are answered with `cancel`, the default.
   */
  readonly onChange?: (task: TaskInfo, whenNobodyCanAnswer?: "wait" | "cancel") => void;
  /** When the client has closed the stream of the call, in ms since the epoch; `undefined` while it can receive the answer. */
  readonly closedAt?: () => number | undefined;
  /** Called as the call is answered, with what to do if the client turns out not to have received the answer. */
  readonly onAnswer?: (lost: () => void) => void;
}

/** The reason of a `CallContext.signal` when the caller cancelled the call. */
export class CallCancelled extends JobsError {}

/** The reason of a `CallContext.signal` when the client's time limit for the call has passed. */
export class CallTimedOut extends JobsError {}

/**
 * The reason of a `CallContext.signal` when the connection of the caller is lost. The caller of a plain call does not know the
 * id of its task.
 */
export class CallerGone extends JobsError {
  /** `cancels`: whether the work ends with it, if the registration does not say. */
  constructor(readonly cancels: boolean) {
    super("The connection of its plain call is gone.");
  }
}

/** What is known about a client that lists the tools. */
export interface ListClient {
  /** Whether it accepts a task as the answer to any call. */
  readonly tasks: boolean;
  /** Whether its principal is known: only then may it list tasks. */
  readonly known: boolean;
  /** Whether it can ask a person to fill in a form. */
  readonly elicitation: boolean;
}

/** A tool of a surface. */
export interface SurfaceTool {
  /** Its name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it does, for the model. */
  readonly description: string;
  /** What it does, if that depends on the client. Default: `description`. */
  readonly describedTo?: (client: ListClient) => string;
  /** The schema of its input. */
  readonly inputSchema: JsonSchema;
  /** The schema of its `structuredContent`. */
  readonly outputSchema?: JsonSchema;
  /** How it affects its environment. */
  readonly annotations?: JobAnnotations;
  /** Calls the tool. The model reads the message of an `InvalidInput`. */
  call(input: unknown, ctx: CallContext): Promise<CallAnswer>;
  /**
   * Continues a call that was answered before its task had ended; absent if calls do not wait. `answer` stores the client's
   * answers, and must be called once the task is known to be one of this tool; it resolves with the task as it is then.
   * `input` is that of the call, if the client has sent it whole again.
   */
  readonly resume?: (
    id: string,
    ctx: CallContext,
    answer: (task: TaskInfo) => Promise<TaskInfo>,
    input?: unknown,
  ) => Promise<CallAnswer>;
  /** The questions for fields that a call may lack; the key is the field of the input. */
  readonly askFor?: readonly Question[];
  /** Whether its calls can, or must, become native MCP tasks; absent if they cannot. */
  readonly taskSupport?: TaskSupport;
  /**
   * Whether a client sees it in the list of tools. A client that does not can still call it by name, unless no client with
   * the same `known` sees it. Default: all clients see it.
   */
  readonly listedTo?: (client: ListClient) => boolean;
}

/** What a client reads of a resource. */
export interface ResourcePlace {
  /** The task id; `""` where the template has no variable. */
  readonly id: string;
  /** What follows the id after a slash: a part of the result; absent: the whole. */
  readonly part?: string;
  /** The page, as the client has written it; absent: the first, or all if that is the only one. */
  readonly page?: string;
}

/** A resource template of a surface; its only variable is the task id, if it has one. */
export interface SurfaceTemplate {
  /** The name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it contains, for the model. */
  readonly description: string;
  /**
   * The template, ending in `{task_id}`, in `{task_id}/<part>`, or in `{?page}` if it has no task id. Of several templates
   * that fit a URI, the most specific one is read.
   */
  readonly uriTemplate: string;
  /** The media type of its contents. */
  readonly mimeType: string;
  /**
   * Whether it finds tasks whose ids its reader need not know. Then it is only for clients whose principal is known: all others
   * are one owner, and would read each other's results.
   */
  readonly knownOnly?: true;
  /**
   * Reads the resource of one task. Rejects with `TaskNotFound` or `ResultPartNotFound` for what is not there. `signal` aborts
   * when nobody waits for it any more.
   */
  read(place: ResourcePlace, owner: string, signal?: AbortSignal): Promise<readonly ResourceContent[]>;
}

/** How the result of a task is sent. */
export interface ResultForm {
  /** The largest answer, in bytes; its texts have two fifths of it, and so have its data. Default: 100,000. */
  readonly inlineBytes?: number;
  /** Whether the tool has an output schema, as `resultOrHandle` makes it: its answers must have data that fit it. */
  readonly typed?: boolean;
  /** What a model calls for a page of the result, such as `task_status`; absent: it can only read the page as a resource. */
  readonly pageCall?: string;
}

/** What a client sees of a job. */
export interface Surface {
  /** The tools. */
  readonly tools: readonly SurfaceTool[];
  /** The resource templates. */
  readonly templates: readonly SurfaceTemplate[];
  /** The job, if its tasks are read through the tools that all jobs share. */
  readonly shared?: SharedJob;
  /** The job, if clients learn of its tasks in another way than through the shared tools. */
  readonly answering?: AnsweringJob;
  /** The native task operations of the surface; absent if it has none. */
  readonly tasks?: {
    /** The names of the jobs whose tasks clients may cancel. */
    readonly cancellable: readonly string[];
    /** How the results of each job are sent, by the name of the job. */
    readonly forms: ReadonlyMap<string, ResultForm>;
    /** Whether clients of revision 2025-11-25 are notified of every change. */
    readonly notifications: boolean;
    /** The names of the jobs whose questions are cancelled if the client of their task cannot be asked. Default: none. */
    readonly cancelsQuestions?: readonly string[];
    /** The tool with which a model answers the questions of a job, by the name of the job. */
    readonly answerTools?: { readonly [job: string]: string };
  };
}

/** A job whose tasks clients read through the shared tools. */
export interface SharedJob {
  /** The job. */
  readonly registered: RegisteredJob;
  /** The prefix of the tools' names. */
  readonly prefix: string;
  /** The longest time that `task_status` waits, in ms. */
  readonly answerWithin: number;
}

/** A job whose questions a model can answer with the tool `task_answer`, if its registration allows that. */
export interface AnsweringJob {
  /** The job. */
  readonly registered: RegisteredJob;
  /** The prefix of the tool's name. */
  readonly prefix: string;
  /** How the result of a task that has ended is sent. */
  readonly form: ResultForm;
  /** How long an answer waits for the result, or for what the task asks next, in ms. */
  readonly answerWithin: number;
  /** Tells a model what to do next about a task that has not ended. */
  next(task: TaskInfo, asking: Asking): string;
}

/** Decides which MCP surface a job gets. */
export interface ExposureStrategy {
  /**
   * Returns the surface of a job. Starts nothing. A server calls it once for each of its jobs, with its own `tasks`, before it
   * answers any client; what a strategy keeps for several jobs, it keeps by `tasks`, because servers may share a strategy.
   */
  expose(registered: RegisteredJob, tasks: Tasks): Surface;
}
