/**
 * The tools of one connection: those of the surface, beside what the user registers through the SDK.
 *
 * @module
 */
import { ProtocolError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { InvalidInput, LimitExceeded } from "../errors.ts";
import { CallCancelled, type SurfaceTool } from "../exposure/surface.ts";
import type { Peer } from "./bind.ts";
import { messageOf, toProtocolError } from "./errors.ts";
import { asRequest, type RequestContext, type TaskServer } from "./host.ts";
import { progressTo } from "./rev_2025_11_25.ts";
import { CallParams, type TaskCalls } from "./task_calls.ts";

const INVALID_PARAMS = -32602;

/** Binds the tools of a surface to one connection. */
export function bindTools(
  server: TaskServer,
  surfaceTools: readonly SurfaceTool[],
  peer: Peer,
  taskCalls: TaskCalls,
): void {
  server.registerCapabilities({ tools: { listChanged: server.getCapabilities().tools?.listChanged ?? false } });
  const tools = new Map(surfaceTools.map((tool) => [tool.name, tool]));
  const plainList = server.handlerOf("tools/list");
  const plainCall = server.handlerOf("tools/call");

  server.setOwnHandler("tools/list", z.looseObject({}), async (params, ctx) => {
    const plain = plainList ? await plainList(asRequest("tools/list", params, ctx), ctx) : {};
    return {
      ...plain,
      tools: [
        ...surfaceTools.map((tool) => listed(tool, taskCalls)),
        ...z.array(z.unknown()).parse(plain.tools ?? []),
      ],
    };
  });

  server.setOwnHandler("tools/call", CallParams, async (params, ctx) => {
    const tool = tools.get(params.name);
    const wish = taskCalls.wish(tool, params, ctx);
    if (tool === undefined) {
      if (plainCall) return await plainCall(asRequest("tools/call", params, ctx), ctx);
      throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${params.name.slice(0, 100)}`);
    }
    const input = params.arguments ?? {};
    try {
      if (wish && tool.start) return taskCalls.created(await tool.start(input, peer.owner, wish.ttl), ctx);
      return { ...await call(tool, input, ctx, peer) };
    } catch (error) {
      if ((error instanceof InvalidInput || error instanceof LimitExceeded) && !wish?.demanded) {
        return { content: [{ type: "text", text: messageOf(error) }], isError: true };
      }
      throw toProtocolError(error);
    }
  });
}

async function call(tool: SurfaceTool, input: unknown, ctx: RequestContext, { owner }: Peer) {
  const given = new AbortController();
  const { signal, _meta, notify } = ctx.mcpReq;
  // The SDK aborts with a text when the client cancels, and with an error when the connection is gone.
  const giveUp = () =>
    given.abort(signal.reason instanceof Error ? signal.reason : new CallCancelled("The call was cancelled."));
  if (signal.aborted) giveUp();
  signal.addEventListener("abort", giveUp, { once: true });
  const token = _meta?.progressToken;
  try {
    return await tool.call(input, {
      owner,
      signal: given.signal,
      ...(token !== undefined && {
        onChange: progressTo(
          token,
          (params) => void notify({ method: "notifications/progress", params }).catch(() => {}),
        ),
      }),
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function listed({ call: _, start, taskSupport, ...tool }: SurfaceTool, taskCalls: TaskCalls) {
  return { ...tool, ...(start && taskSupport && taskCalls.listed(taskSupport)) };
}
