/**
 * Surfaces: what a job looks like to an MCP client, as plain data. No protocol words of one revision, no SDK.
 *
 * @module
 */
import { JobsError } from "../errors.ts";
import type { JobAnnotations } from "../job.ts";
import type { RegisteredJob, TaskSupport } from "../registry.ts";
import type { JsonSchema } from "../schema/json_schema.ts";
import type { Json, Question, TaskInfo } from "../task.ts";
import type { Tasks } from "../tasks/tasks.ts";

/** One block of a tool result's content. */
export type ContentBlock =
  | { readonly type: "text"; readonly text: string }
  | {
    readonly type: "resource_link";
    readonly uri: string;
    readonly name: string;
    readonly description?: string;
    readonly mimeType?: string;
  };

/** What a tool call returns: a `CallToolResult` of the MCP specification. */
export interface ToolResult {
  /** What the model reads. */
  readonly content: readonly ContentBlock[];
  /** The result as data. */
  readonly structuredContent?: { readonly [key: string]: Json };
  /** Whether the tool says that it failed. */
  readonly isError?: boolean;
  /** What the client's own code may read. */
  readonly _meta?: { readonly [key: string]: Json };
}

/** What the client of a call can do. */
export interface CallClient {
  /**
   * `"demanded"`: the client takes a task as the answer to this call, and nothing else. `"accepted"`: it takes a result or
   * a task. `"none"`: it takes a result alone.
   */
  readonly tasks: "none" | "accepted" | "demanded";
  /** For how long a client that takes a task wants its result to be kept, in ms. */
  readonly ttl?: number;
  /** Whether it can ask a person to fill in a form. */
  readonly elicitation: boolean;
  /** Whether it receives progress while the call waits. */
  readonly progress: boolean;
}

/** What a call comes to: its result, or the task that will have it. */
export type CallAnswer =
  | { readonly kind: "result"; readonly result: ToolResult }
  | { readonly kind: "task"; readonly task: TaskInfo };

/** Who calls a tool, and how. */
export interface CallContext {
  /** The principal. */
  readonly owner: string;
  /** What the client can do. */
  readonly client: CallClient;
  /** Aborts when the caller has given up. */
  readonly signal: AbortSignal;
  /** Hears of each change while the call waits. */
  readonly onChange?: (task: TaskInfo) => void;
}

/** The reason of a `CallContext.signal` when the caller cancelled the call. */
export class CallCancelled extends JobsError {}

/** The reason of a `CallContext.signal` when the client waits no longer: its time limit for calls has passed. */
export class CallTimedOut extends JobsError {}

/**
 * The reason of a `CallContext.signal` when the connection of the caller is gone. Nobody has the id of a task that a plain
 * call began.
 */
export class CallerGone extends JobsError {
  /** `cancels` tells whether that ends the work, where its registration does not say. */
  constructor(readonly cancels: boolean) {
    super("The connection of its plain call is gone.");
  }
}

/** Whether the work of a plain call is to end with the call, whose signal has aborted for `reason`. */
export function endsWork({ cancel, cancelOnDisconnect }: RegisteredJob, reason: unknown): boolean {
  if (reason instanceof CallerGone) return cancelOnDisconnect ?? (cancel && reason.cancels);
  return cancel && reason instanceof CallCancelled;
}

/** What is known of a client that lists the tools. */
export interface ListClient {
  /** Whether it declares that it knows tasks. */
  readonly tasks: boolean;
  /** Whether it is one known person or program, so that its tasks may be listed. */
  readonly known: boolean;
}

/** A tool of a surface. */
export interface SurfaceTool {
  /** Its name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it does, for the model. */
  readonly description: string;
  /** What it takes. */
  readonly inputSchema: JsonSchema;
  /** What it returns as data. */
  readonly outputSchema?: JsonSchema;
  /** What it does to the world. */
  readonly annotations?: JobAnnotations;
  /** Calls it. A rejection with `InvalidInput` is for the model to read. */
  call(input: unknown, ctx: CallContext): Promise<CallAnswer>;
  /**
   * Waits for the task of a call that had to be answered before its end; absent where calls do not wait. `answer` stores
   * what the client has answered, and is called once the task is known as one of this tool.
   */
  readonly resume?: (id: string, ctx: CallContext, answer: (task: TaskInfo) => Promise<void>) => Promise<CallAnswer>;
  /** What the person is asked for if a call lacks it; the key is the field of the input. */
  readonly askFor?: readonly Question[];
  /** Whether its calls may become native MCP tasks, or must; absent where they cannot. */
  readonly taskSupport?: TaskSupport;
  /** Whether it is listed to this client; default: to all. A client that knows its name can call it all the same. */
  readonly listedTo?: (client: ListClient) => boolean;
}

/** A resource template of a surface; its one variable is the task id. */
export interface SurfaceTemplate {
  /** A name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it holds, for the model. */
  readonly description: string;
  /** The template, ending in `{task_id}`. */
  readonly uriTemplate: string;
  /** The type of what it holds. */
  readonly mimeType: string;
  /** Reads the resource of one task. */
  read(id: string, owner: string): Promise<string>;
}

/** What one job looks like to a client. */
export interface Surface {
  /** The tools. */
  readonly tools: readonly SurfaceTool[];
  /** The resource templates. */
  readonly templates: readonly SurfaceTemplate[];
  /** That the three tools which serve all jobs together have to know this job; absent where it needs none of them. */
  readonly shared?: SharedJob;
  /** The native task operations that the surface needs; absent where it needs none. */
  readonly tasks?: {
    /** The names of the jobs whose tasks clients may cancel. */
    readonly cancellable: readonly string[];
    /** The names of the jobs whose result has an output schema. */
    readonly typed: readonly string[];
    /** Whether every change is pushed. */
    readonly notifications: boolean;
  };
}

/** A job whose tasks clients read through the shared tools. */
export interface SharedJob {
  /** The job. */
  readonly registered: RegisteredJob;
  /** What the names of the tools begin with. */
  readonly prefix: string;
  /** The longest time that a call waits, in ms. */
  readonly answerWithin: number;
}

/** Says which MCP surface a job gets. */
export interface ExposureStrategy {
  /** Gives a job its surface. Pure: it starts nothing and keeps nothing. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface;
}
