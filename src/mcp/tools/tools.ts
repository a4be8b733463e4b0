/**
 * The tools of one connection: those of the surface, beside what the user registers through the SDK.
 *
 * @module
 */
import { INVALID_PARAMS, ProtocolError, type Result } from "@modelcontextprotocol/server";
import { InvalidInput, LimitExceeded, ToolError } from "../../errors.ts";
import { fitted } from "../../exposure/fitted.ts";
import type { SurfaceTool, ToolResult } from "../../exposure/surface.ts";
import { cutToFit } from "../../message_size.ts";
import { messageOf, quote } from "../../text.ts";
import { completeInput } from "./ask_for_input.ts";
import { toProtocolError } from "../errors.ts";
import { asRequest, type TaskServer } from "../host.ts";
import { pageOf } from "../list_page.ts";
import type { Peer } from "../peer.ts";
import { begunBefore, callPlainly, resumePlainly } from "./plain_call.ts";
import { inputRequired } from "../rev_2026_07_28/wire.ts";
import type { Served } from "../served.ts";
import { CallParams, Listed, ListParams, type TaskCalls } from "../generation.ts";

/** What the model can mend, or should tell. */
const FOR_THE_MODEL = [InvalidInput, LimitExceeded, ToolError];

/** Binds the tools of a surface to one connection. */
export function bindTools(
  server: TaskServer,
  { surface, tasks }: Pick<Served, "surface" | "tasks">,
  { owner }: Peer,
  calls: TaskCalls,
): void {
  server.registerCapabilities({ tools: { listChanged: server.getCapabilities().tools?.listChanged ?? false } });
  const tools = new Map(surface.tools.map((tool) => [tool.name, tool]));
  const plainList = server.handlerOf("tools/list");
  const plainCall = server.handlerOf("tools/call");

  server.setOwnHandler("tools/list", ListParams, async (params, ctx) => {
    const plain = plainList ? await plainList(asRequest("tools/list", params, ctx), ctx) : {};
    const all = [...surface.tools.map((tool) => listed(tool, calls)), ...Listed.parse(plain.tools)];
    const { page, ...next } = pageOf(all, params.cursor);
    return { ...plain, tools: page, ...next };
  });

  server.setOwnHandler("tools/call", CallParams, async (params, ctx) => {
    const tool = tools.get(params.name);
    if (tool === undefined) {
      if (plainCall) calls.wish(tool, params, ctx); // Refuses to make a task of it.
      try {
        if (!plainCall) throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${params.name.slice(0, 100)}`);
        const answer = await plainCall(asRequest("tools/call", params, ctx), ctx);
        // A plain tool answers as much as it likes; an error repeats what it was given.
        return isError(answer) ? { ...fitted(answer, false) } : answer;
      } catch (error) {
        // Of all that can be wrong with a plain call, the SDK gives this code to a tool that is not there alone.
        const unknown = error instanceof ProtocolError && error.code === INVALID_PARAMS;
        if (unknown) tasks.refuse(owner, "create", `Unknown tool ${quote(params.name)}.`);
        throw error;
      }
    }
    const wish = calls.wish(tool, params, ctx);
    const plain = { tasks, owner, calls, revision: server.getNegotiatedProtocolVersion() };
    const begun = tool.resume && begunBefore(ctx);
    try {
      // What was asked before there was a task is settled: the answers of a call that goes on are those to its task.
      if (begun !== undefined) return await resumePlainly(tool, begun, ctx, plain);
      const asked = await completeInput(tool.askFor ?? [], params.arguments ?? {}, server, ctx, tasks.over);
      if ("questions" in asked) return { ...inputRequired(asked.questions) };
      const { input } = asked;
      if (wish && tool.start) return calls.created(await tool.start(input, owner, wish.ttl), ctx);
      return await callPlainly(tool, input, ctx, plain);
    } catch (error) {
      const readable = FOR_THE_MODEL.some((kind) => error instanceof kind);
      // A round that is refused can be sent again as it is; told to the model, it would begin another task.
      if (readable && begun === undefined && !wish?.demanded) {
        return { content: [{ type: "text", text: cutToFit(messageOf(error)) }], isError: true };
      }
      throw toProtocolError(error);
    }
  });
}

function isError(answer: Result): answer is Result & ToolResult {
  return answer.isError === true && Array.isArray(answer.content);
}

function listed({ call: _, resume: __, askFor: ___, start, taskSupport, ...tool }: SurfaceTool, calls: TaskCalls) {
  return { ...tool, ...(start && taskSupport && calls.listed(taskSupport)) };
}
