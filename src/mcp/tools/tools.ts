/**
 * The tools of one connection: those of the surface, and those that the user registers through the SDK.
 *
 * @module
 */
import { INVALID_PARAMS, ProtocolError, type Result } from "@modelcontextprotocol/server";
import { InvalidInput, JobFault, JobsError, LimitExceeded, ToolError } from "../../errors.ts";
import { fitted } from "../../exposure/answers/fitted.ts";
import type { ListClient, SurfaceTool, ToolResult } from "../../exposure/surface.ts";
import { withoutNulls } from "../../schema/nulls.ts";
import { messageOf, quote } from "../../text.ts";
import { withoutAddedFields } from "./added_fields.ts";
import { completeInput } from "./ask_for_input.ts";
import { toProtocolError } from "../errors.ts";
import type { RequestContext, TaskServer } from "../host.ts";
import { Listed, pageOf } from "../list_page.ts";
import { CallParams, ListParams } from "../params.ts";
import type { Peer } from "../peer.ts";
import { type CallSite, callTool, continueLost, isTimeOut, resumeTool } from "./call.ts";
import { inCallSpan } from "./call_span.ts";
import { LostAnswers } from "./lost_answers.ts";
import type { Connection } from "../revision.ts";
import type { Served } from "../served.ts";

/** Errors that the model can correct, or should report. */
const FOR_THE_MODEL = [InvalidInput, LimitExceeded, ToolError];

export function bindTools(
  server: TaskServer,
  served: Pick<Served, "surface" | "tasks">,
  peer: Peer,
  connection: Connection,
): void {
  const { surface, tasks } = served;
  const { owner, known } = peer;
  server.registerCapabilities({ tools: { listChanged: server.getCapabilities().tools?.listChanged ?? false } });
  const plainList = server.plainHandler("tools/list");
  const plainCall = server.plainHandler("tools/call");

  server.setOwnHandler("tools/list", ListParams, async (params, ctx) => {
    const plain = await plainList?.(params, ctx) ?? {};
    const { tasks, elicitation } = connection.client(ctx);
    const client = { tasks, known, elicitation };
    const own = surface.tools.filter(({ listedTo }) => listedTo?.(client) ?? true);
    const all = [...own.map((tool) => listed(tool, client, connection)), ...Listed.parse(plain.tools)];
    const { page, ...next } = pageOf(all, params.cursor);
    return { ...plain, tools: page, ...next };
  });

  const sent = new LostAnswers();
  server.onCancelled = (id, reason) => {
    if (isTimeOut(reason)) sent.givenUp(id);
  };
  server.hasJustAnswered = (id) => sent.has(id);
  const closedAt: CallSite["closedAt"] = ({ mcpReq: { id } }) => server.streams?.closedAt(id);
  const onAnswer: CallSite["onAnswer"] = (ctx, lost) => {
    // A client that has closed the stream may resume it, or may call again.
    if (closedAt(ctx) === undefined) sent.add(ctx.mcpReq.id, lost);
    else lost();
  };

  server.setOwnHandler("tools/call", CallParams, (params, ctx) => {
    // Without a map: a session of a server with hundreds of tools would hold one of 10 KB.
    const tool = surface.tools.find(({ name }) => name === params.name);
    if (tool && mayCall(tool, peer)) {
      return call(tool, params, server, ctx, { tasks, owner, known, connection, closedAt, onAnswer });
    }
    return inCallSpan(undefined, params.name, server, ctx, () => callPlainTool(params, ctx));
  });

  async function callPlainTool(params: CallParams, ctx: RequestContext): Promise<Result> {
    if (plainCall) connection.taskRequest(undefined, params, ctx); // Throws where the client demands a task.
    try {
      if (!plainCall) throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${params.name.slice(0, 100)}`);
      const answer = await plainCall(params, ctx);
      // How large its results are is a plain tool's own affair, but its errors may repeat a large input.
      return isError(answer) ? { ...fitted(answer) } : answer;
    } catch (error) {
      // The SDK uses this code only for an unknown tool.
      const unknown = error instanceof ProtocolError && error.code === INVALID_PARAMS;
      if (unknown) tasks.refuse(owner, "create", `Unknown tool ${quote(params.name)}.`);
      throw error;
    }
  }
}

/** Binds one tool to a connection on which nothing else is called. */
export function bindTool(
  server: TaskServer,
  tool: SurfaceTool,
  { tasks }: Pick<Served, "tasks">,
  { owner, known }: Peer,
  connection: Connection,
): void {
  server.registerCapabilities({ tools: {} });
  server.setOwnHandler(
    "tools/call",
    CallParams,
    // The connection ends with the answer: nobody can say that it was lost.
    (params, ctx) =>
      call(tool, params, server, ctx, {
        tasks,
        owner,
        known,
        connection,
        closedAt: () => undefined,
        onAnswer: () => {},
      }),
  );
}

/**
 * Whether a peer may call a tool. Listing is only a matter of what a client can use, except for tools that no client of an
 * unknown principal may have.
 */
export function mayCall({ listedTo }: SurfaceTool, { known }: Peer): boolean {
  const either = [true, false];
  return listedTo === undefined ||
    either.some((tasks) => either.some((elicitation) => listedTo({ tasks, known, elicitation })));
}

/**
 * Calls a tool of the surface. A client without tasks gets an error of ours as a result, too: after a protocol error,
 * LangChain and others end the agent's run. For operators it stays the error that it is.
 */
async function call(
  tool: SurfaceTool,
  params: CallParams,
  server: TaskServer,
  ctx: RequestContext,
  place: Omit<CallSite, "tool" | "request">,
): Promise<Result> {
  let isReadable = false;
  const run = async () => {
    const { tasks, connection } = place;
    const request = connection.taskRequest(tool, params, ctx);
    const lost = tool.resume && connection.lost?.(ctx);
    const resumed = tool.resume && connection.resumed(ctx);
    const goesOn = (lost ?? resumed) !== undefined;
    // The call it goes on with was a plain one, whatever the client declares by now.
    const site = { ...place, tool: tool.name, request: goesOn ? undefined : request };
    try {
      if (lost !== undefined) return await continueLost(tool, lost, ctx, site);
      // A call that goes on has its whole input already: its answers are for the questions of its task.
      const { inputSchema } = tool;
      const input = withoutNulls(inputSchema, withoutAddedFields(inputSchema, params.arguments ?? {}));
      if (resumed !== undefined) return await resumeTool(tool, resumed, input, ctx, site);
      const complete = await completeInput(tool.askFor ?? [], input, connection, ctx, tasks.over);
      if ("result" in complete) return complete.result;
      return await callTool(tool, complete.input, ctx, site);
    } catch (error) {
      const refusal = toProtocolError(error, tasks.onError);
      // A call that goes on can be sent again unchanged. If the model got this error, it would start another task.
      if (goesOn || request?.demanded) throw refusal;
      if (FOR_THE_MODEL.some((kind) => error instanceof kind)) return errorResult(refusal);
      isReadable = request === undefined && error instanceof JobsError && !(error instanceof JobFault);
      throw refusal;
    }
  };
  try {
    return await inCallSpan(tool.name, params.name, server, ctx, run);
  } catch (error) {
    if (!isReadable) throw error;
    return errorResult(error);
  }
}

function errorResult(error: unknown): Result {
  return { content: [{ type: "text", text: messageOf(error) }], isError: true };
}

function isError(answer: Result): answer is Result & ToolResult {
  return answer.isError === true && Array.isArray(answer.content);
}

function listed(
  { call: _, resume: __, askFor: ___, listedTo: ____, describedTo, taskSupport, ...tool }: SurfaceTool,
  client: ListClient,
  connection: Connection,
) {
  const description = describedTo?.(client) ?? tool.description;
  return { ...tool, description, ...(taskSupport && connection.listed(taskSupport)) };
}
