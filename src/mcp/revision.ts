/**
 * The seam between a connection and the revision of MCP that it speaks. Each revision has a folder of its own that
 * implements it, and a line in bind.ts; nothing else asks which revision is spoken.
 *
 * @module
 */
import type { Result } from "@modelcontextprotocol/server";
import type { LostCall, SurfaceTool, ToolResult } from "../exposure/surface.ts";
import type { Answer, Json, Question, TaskInfo } from "../task.ts";
import type { RequestContext, TaskServer } from "./host.ts";
import type { CallParams } from "./params.ts";
import type { Peer } from "./peer.ts";
import type { Served } from "./served.ts";

/** Sets up a revision on the server of one connection: its task operations, and what the rest of the connection asks it. */
export type BindRevision = (server: TaskServer, served: Served, peer: Peer) => Connection;

/** What the client of a request can do. */
export interface Client {
  /** Whether it can ask a person to fill in a form. */
  readonly elicitation: boolean;
  /** Whether it can ask a person to open a page. */
  readonly urls: boolean;
  /** Whether it accepts a task as the answer to any call, without asking for one. */
  readonly tasks: boolean;
}

/** That a call is to become a task. */
export interface TaskRequest {
  /** How long the client wants the result to be kept, in ms. */
  readonly ttl?: number;
  /** Whether the client accepts nothing but a task or a protocol error. */
  readonly demanded: boolean;
}

/** What became of the questions of a call: the fields for its input, or what it returns so that the client calls again. */
export type Elicited =
  | { readonly fields: { readonly [key: string]: Json | undefined } }
  | { readonly result: Result };

/** One connection, in the words of its revision. */
export interface Connection {
  /** Whether clients can subscribe to the results of tasks. */
  readonly subscriptions: boolean;
  /** What the client of this request can do. */
  client(ctx: RequestContext): Client;
  /** What `tools/list` adds to a tool that can run as a task. */
  listed(support: "optional" | "required"): { readonly [key: string]: unknown };
  /**
   * Whether a call is to become a task. Throws a `ProtocolError` where the client had to ask for a task, or must not have.
   * `tool` is absent for a tool that the user registered through the SDK.
   */
  taskRequest(tool: SurfaceTool | undefined, params: CallParams, ctx: RequestContext): TaskRequest | undefined;
  /** The answer to a call that has become this task. */
  created(task: TaskInfo, ctx: RequestContext): Result;
  /** The answer to a call with this result. */
  completed(result: ToolResult): Result;
  /**
   * Asks for what the input of a call lacks, before there is a task. Throws `ToolError` if the person declines, and stops
   * asking once `over` aborts.
   */
  elicit(questions: readonly Question[], ctx: RequestContext, over: AbortSignal): Promise<Elicited>;
  /** The id of the task whose questions an earlier call returned, if this call goes on with it. */
  resumed(ctx: RequestContext): string | undefined;
  /** The call that was lost with its server, if this one is processed in its place. */
  lost?(ctx: RequestContext): LostCall | undefined;
  /** The answers to the open questions of that task which came with this call. Throws `InvalidInput`. */
  answers(task: TaskInfo, ctx: RequestContext): { readonly [key: string]: Answer };
  /** The plain call of a tool begins to wait for a task. Absent: such a call is lost with its server. */
  waits?(tool: string, ifLost: LostCall, ctx: RequestContext): void;
  /**
   * Puts questions of a task to the client whose call waits for it. Returns a result if the call has to return it, so that
   * the client calls again with the answers.
   */
  ask(task: TaskInfo, questions: readonly Question[], ctx: RequestContext): Result | undefined;
  /**
   * Sends the client of a call what the task that it waits for logs, if the client wants that. Absent: clients of this
   * revision get no log messages.
   */
  followLog?(task: TaskInfo, ctx: RequestContext): CallLog | undefined;
}

/** The log of a task, as it is sent on the stream of a call. Disposing of it ends that. */
export interface CallLog extends Disposable {
  /** Resolves once all is sent that the task had logged when its last change was seen. */
  sent(): Promise<void>;
}
