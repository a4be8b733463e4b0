/**
 * A connection that speaks revision 2026-07-28. Its clients declare what they can do with every request.
 *
 * @module
 */
import {
  CLIENT_CAPABILITIES_META_KEY,
  INVALID_PARAMS,
  type JSONRPCMessage,
  ProtocolError,
  type Result,
} from "@modelcontextprotocol/server";
import { describeQuestions } from "../../exposure/answers/asking.ts";
import type { Surface, SurfaceTool, ToolResult } from "../../exposure/surface.ts";
import { isObject } from "../../json.ts";
import type { Answer, Question, TaskInfo } from "../../task.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import type { CallParams } from "../params.ts";
import type { Peer } from "../peer.ts";
import type { Client, Connection, TaskRequest } from "../revision.ts";
import type { Served } from "../served.ts";
import { askingFor, declaredAsking } from "../questions.ts";
import { elicitFields } from "./ask_for_input.ts";
import { bindTasks, capabilitiesOf, missingExtension } from "./tasks.ts";
import { answersTo, createTaskResult, declaresTasks, inputRequired } from "./wire.ts";

/** Sets up the revision on one connection. */
export function bindConnection(server: TaskServer, { surface, tasks }: Served, peer: Peer): Connection {
  if (surface.tasks) bindTasks(server, tasks, surface.tasks, peer);
  return new StatelessConnection({ surface, tasks }, peer);
}

/** A connection whose requests are independent of each other. */
export class StatelessConnection implements Connection {
  readonly subscriptions = true;
  readonly elicit = elicitFields;
  readonly #served: Pick<Served, "surface" | "tasks">;
  readonly #owner: string;

  constructor(served: Pick<Served, "surface" | "tasks">, { owner }: Peer) {
    this.#served = served;
    this.#owner = owner;
  }

  client(ctx: RequestContext): Client {
    const capabilities = capabilitiesOf(ctx);
    return {
      ...declaredAsking(capabilities),
      tasks: this.#served.surface.tasks !== undefined && declaresTasks(capabilities),
    };
  }

  listed(): { readonly [key: string]: unknown } {
    return {};
  }

  taskRequest(tool: SurfaceTool | undefined, _: CallParams, ctx: RequestContext): TaskRequest | undefined {
    if (!tool?.taskSupport) return undefined;
    if (this.client(ctx).tasks) return { demanded: false };
    if (tool.taskSupport !== "required") return undefined;
    const error = missingExtension();
    this.#served.tasks.refuseCall(this.#owner, tool.name, error.message);
    throw error;
  }

  created(task: TaskInfo, ctx: RequestContext): Result {
    const { tasks } = this.#served.surface;
    const asking = tasks && askingFor(this.client(ctx), tasks, task.job);
    return createTaskResult(describeQuestions(task, asking));
  }

  completed(result: ToolResult): Result {
    return { ...result };
  }

  resumed(ctx: RequestContext): string | undefined {
    const id = ctx.mcpReq.requestState();
    if (id === undefined || typeof id === "string") return id;
    throw new ProtocolError(INVALID_PARAMS, "Invalid requestState.");
  }

  answers(task: TaskInfo, ctx: RequestContext): { readonly [key: string]: Answer } {
    return answersTo(task, ctx.mcpReq.inputResponses ?? {});
  }

  ask(task: TaskInfo, questions: readonly Question[]): Result {
    return inputRequired(questions, task.id);
  }
}

/**
 * The tool of the surface that a message calls, if it does. Over HTTP such a request has a connection of its own, which
 * needs nothing else.
 */
export function calledTool(
  { tools }: Pick<Surface, "tools">,
  message: JSONRPCMessage | undefined,
): SurfaceTool | undefined {
  if (message === undefined || !("method" in message) || message.method !== "tools/call") return undefined;
  return tools.find(({ name }) => name === message.params?.name);
}

/**
 * Whether a message is a plain call of a job. Its client cancels it by closing the stream of the answer (Streamable HTTP,
 * "Cancellation"). So the stream is opened before the answer is there, and comments keep it alive.
 */
export function waitsForJob(surface: Pick<Surface, "tools">, message: JSONRPCMessage | undefined): boolean {
  const tool = calledTool(surface, message);
  if (tool?.resume === undefined || tool.taskSupport === "required") return false;
  const { _meta } = message && "params" in message && message.params || {};
  return !(isObject(_meta) && declaresTasks(_meta[CLIENT_CAPABILITIES_META_KEY]));
}
