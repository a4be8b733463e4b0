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
} from "@modelcontextprotocol/server";
import type { Surface } from "../../exposure/surface.ts";
import { isObject } from "../../json.ts";
import { cancelQuestions } from "../cancel_questions.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import type { Peer } from "../peer.ts";
import type { Client, Connection } from "../revision.ts";
import type { Served } from "../served.ts";
import { declaresForms, questionsToElicit } from "../words.ts";
import { elicitFields } from "./ask_for_input.ts";
import { bindTasks, capabilitiesOf, missingExtension } from "./tasks.ts";
import { answersTo, createTaskResult, declaresTasks, inputRequired } from "./wire.ts";

/** Sets up the revision on one connection. */
export function bindConnection(server: TaskServer, { surface, tasks }: Served, peer: Peer): Connection {
  const client = (ctx: RequestContext): Client => {
    const capabilities = capabilitiesOf(ctx);
    return {
      elicitation: declaresForms(capabilities),
      tasks: surface.tasks !== undefined && declaresTasks(capabilities),
    };
  };
  if (surface.tasks) bindTasks(server, tasks, surface.tasks, peer);

  return {
    subscriptions: true,
    client,
    listed: () => ({}),
    taskRequest(tool, _, ctx) {
      if (!tool?.taskSupport) return undefined;
      if (client(ctx).tasks) return { demanded: false };
      if (tool.taskSupport !== "required") return undefined;
      const error = missingExtension();
      tasks.refuseCall(peer.owner, tool.name, error.message);
      throw error;
    },
    created: (task) => ({ ...createTaskResult(task) }),
    completed: (result) => ({ ...result }),
    elicit: elicitFields,
    resumed(ctx) {
      const id = ctx.mcpReq.requestState();
      if (id === undefined || typeof id === "string") return id;
      throw new ProtocolError(INVALID_PARAMS, "Invalid requestState.");
    },
    answers: (task, ctx) => answersTo(task, ctx.mcpReq.inputResponses ?? {}),
    ask(task, ctx, ended) {
      if (client(ctx).elicitation) return { ...inputRequired(questionsToElicit(task), task.id) };
      void cancelQuestions(tasks, task, ended);
      return undefined;
    },
  };
}

/**
 * Whether a message is a plain call of a job. Its client cancels it by closing the stream of the answer (Streamable HTTP,
 * "Cancellation"), so that stream has to be open before the answer is there; comments keep it alive.
 */
export function waitsForJob({ tools }: Pick<Surface, "tools">, message: JSONRPCMessage | undefined): boolean {
  if (message === undefined || !("method" in message) || message.method !== "tools/call") return false;
  const { name, _meta } = message.params ?? {};
  const tool = tools.find((tool) => tool.name === name);
  if (tool?.resume === undefined || tool.taskSupport === "required") return false;
  return !(isObject(_meta) && declaresTasks(_meta[CLIENT_CAPABILITIES_META_KEY]));
}
