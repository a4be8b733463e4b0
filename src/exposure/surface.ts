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

/** Who calls a tool, and how he hears of its progress. */
export interface CallContext {
  /** The principal. */
  readonly owner: string;
  /** Aborts when the caller has given up. */
  readonly signal: AbortSignal;
  /** Hears of each change while the call waits. */
  readonly onChange?: (task: TaskInfo) => void;
}

/** The reason of a `CallContext.signal` when the caller cancelled the call. */
export class CallCancelled extends JobsError {}

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
  /** Calls it and waits for its result. A rejection with `InvalidInput` is for the model to read. */
  call(input: unknown, ctx: CallContext): Promise<ToolResult>;
  /** Starts it as a native MCP task; absent where it cannot be called as one. */
  readonly start?: (input: unknown, owner: string, ttl?: number) => Promise<TaskInfo>;
  /**
   * Waits for the task of a call that had to be answered before its end; absent where calls do not wait. `answer` stores
   * what the client has answered, and is called once the task is known as one of this tool.
   */
  readonly resume?: (id: string, ctx: CallContext, answer: (task: TaskInfo) => Promise<void>) => Promise<ToolResult>;
  /** What the person is asked for if a call lacks it; the key is the field of the input. */
  readonly askFor?: readonly Question[];
  /** Whether it may be started as a native MCP task, or must be; absent where it cannot be. */
  readonly taskSupport?: TaskSupport;
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

/** Says which MCP surface a job gets. */
export interface ExposureStrategy {
  /** Gives a job its surface. Pure: it starts nothing and keeps nothing. */
  expose(registered: RegisteredJob, tasks: Tasks): Surface;
}
