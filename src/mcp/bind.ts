/**
 * Binds surfaces to the SDK's server: one call makes the server of one connection.
 *
 * @module
 */
import { ProtocolError, ResourceNotFoundError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { InvalidInput, TaskNotFound } from "../errors.ts";
import { CallCancelled, type Surface, type SurfaceTemplate, type SurfaceTool } from "../exposure/surface.ts";
import type { Tasks } from "../tasks.ts";
import { messageOf, toProtocolError } from "./errors.ts";
import { McpHost, type RequestContext, type TaskServer } from "./host.ts";
import { bindTasks } from "./native_tasks.ts";
import * as rev from "./rev_2025_11_25.ts";

/** What every connection of a server shares. */
export interface Served {
  readonly name: string;
  readonly version: string;
  readonly title?: string;
  readonly instructions?: string;
  readonly surface: Surface;
  readonly tasks: Tasks;
  /** What the user adds through the official API, on each connection. */
  readonly extensions: readonly ((mcp: McpHost) => void)[];
}

/** Who is at the other end of a connection. */
export interface Peer {
  /** The principal that its tasks belong to. */
  readonly owner: string;
  /** Whether that is one known person or program, so that its tasks may be listed. */
  readonly known: boolean;
}

const METHOD_NOT_FOUND = -32601;
const INVALID_PARAMS = -32602;

const CallParams = z.looseObject({
  name: z.string(),
  arguments: z.record(z.string(), z.unknown()).optional(),
  task: z.looseObject({ ttl: z.number().nonnegative().optional() }).optional(),
});

/** Makes the server of one connection. Native tasks are those of 2025-11-25, so a modern connection goes without. */
export function bind(served: Served, peer: Peer, era: "legacy" | "modern"): McpHost {
  const { name, version, title, instructions, surface } = served;
  const host = new McpHost({ name, version, title }, { instructions });
  for (const extend of served.extensions) extend(host);
  const server = host.taskServer;
  bindTools(server, served, peer, era);
  if (surface.templates.length > 0) bindResources(server, surface.templates, peer);
  return host;
}

function bindTools(server: TaskServer, { surface, tasks }: Served, peer: Peer, era: "legacy" | "modern"): void {
  server.registerCapabilities({ tools: { listChanged: server.getCapabilities().tools?.listChanged ?? false } });
  const native = era === "legacy" && surface.tasks && bindTasks(server, tasks, surface.tasks, peer);
  const tools = new Map(surface.tools.map((tool) => [tool.name, tool]));
  const plainList = server.handlerOf("tools/list");
  const plainCall = server.handlerOf("tools/call");

  server.setOwnHandler("tools/list", z.looseObject({}), async (params, ctx) => {
    const plain = plainList ? await plainList(asRequest("tools/list", params, ctx), ctx) : {};
    return {
      ...plain,
      tools: [
        ...surface.tools.map((tool) => listed(tool, Boolean(native))),
        ...z.array(z.unknown()).parse(plain.tools ?? []),
      ],
    };
  });

  server.setOwnHandler("tools/call", CallParams, async (params, ctx) => {
    const tool = tools.get(params.name);
    // Where native tasks are offered, what cannot be one is refused ("Tool-Level Negotiation"); elsewhere the field is ignored.
    if (params.task && native && !tool?.start) {
      throw new ProtocolError(METHOD_NOT_FOUND, `${params.name.slice(0, 100)} cannot be called as a task.`);
    }
    if (tool === undefined) {
      if (plainCall) return await plainCall(asRequest("tools/call", params, ctx), ctx);
      throw new ProtocolError(INVALID_PARAMS, `Unknown tool: ${params.name.slice(0, 100)}`);
    }
    const input = params.arguments ?? {};
    try {
      if (params.task && tool.start && native) {
        const task = await tool.start(input, peer.owner, params.task.ttl);
        return native.created(task, ctx.mcpReq._meta?.progressToken);
      }
      return { ...await call(tool, input, ctx, peer) };
    } catch (error) {
      if (error instanceof InvalidInput && !params.task) {
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
        onChange: rev.progressTo(
          token,
          (params) => void notify({ method: "notifications/progress", params }).catch(() => {}),
        ),
      }),
    });
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function bindResources(server: TaskServer, templates: readonly SurfaceTemplate[], { owner }: Peer): void {
  const before = server.getCapabilities().resources;
  server.registerCapabilities({ resources: { listChanged: before?.listChanged ?? false } });
  const plainList = server.handlerOf("resources/list");
  const plainTemplates = server.handlerOf("resources/templates/list");
  const plainRead = server.handlerOf("resources/read");
  const prefixes = templates.map((template) => [template.uriTemplate.replace("{task_id}", ""), template] as const);

  server.setOwnHandler(
    "resources/list",
    z.looseObject({}),
    async (params, ctx) =>
      plainList ? await plainList(asRequest("resources/list", params, ctx), ctx) : { resources: [] },
  );

  server.setOwnHandler("resources/templates/list", z.looseObject({}), async (params, ctx) => {
    const plain = plainTemplates ? await plainTemplates(asRequest("resources/templates/list", params, ctx), ctx) : {};
    const ours = templates.map(({ read: _, ...template }) => template);
    return { ...plain, resourceTemplates: [...ours, ...z.array(z.unknown()).parse(plain.resourceTemplates ?? [])] };
  });

  server.setOwnHandler("resources/read", z.looseObject({ uri: z.string() }), async (params, ctx) => {
    const { uri } = params;
    const found = prefixes.find(([prefix]) => uri.startsWith(prefix));
    if (found === undefined) {
      if (plainRead) return await plainRead(asRequest("resources/read", params, ctx), ctx);
      throw noResource(`Resource not found: ${uri.slice(0, 200)}`, uri);
    }
    const [prefix, template] = found;
    try {
      const text = await template.read(uri.slice(prefix.length), owner);
      return { contents: [{ uri, mimeType: template.mimeType, text }] };
    } catch (error) {
      throw error instanceof TaskNotFound ? noResource(error.message, uri) : toProtocolError(error);
    }
  });
}

/** -32602 with the URI, as 2026-07-28 demands; the SDK never sends the -32002 that 2025-11-25 suggests. */
function noResource(message: string, uri: string): ProtocolError {
  return new ResourceNotFoundError(uri.slice(0, 200), message);
}

function listed({ call: _, start, ...tool }: SurfaceTool, native: boolean) {
  return { ...tool, ...(start && native && { execution: { taskSupport: "optional" } }) };
}

/** The request as the SDK's own handlers take it. */
function asRequest(method: string, params: Record<string, unknown>, ctx: RequestContext) {
  return { jsonrpc: "2.0" as const, id: ctx.mcpReq.id, method, params };
}
