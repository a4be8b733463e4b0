/**
 * The resources of one connection: the results of tasks, beside what the user registers through the SDK.
 *
 * @module
 */
import { type ProtocolError, ResourceNotFoundError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { TaskNotFound } from "../errors.ts";
import { prefixOf } from "../exposure/surface.ts";
import { quote } from "../text.ts";
import type { Peer, Served } from "./bind.ts";
import { toProtocolError } from "./errors.ts";
import { asRequest, type TaskServer } from "./host.ts";
import { Listed, ListParams } from "./task_calls.ts";

const ReadParams = z.looseObject({ uri: z.string() });

/** Binds the templates of a surface to one connection. */
export function bindResources(
  server: TaskServer,
  { surface: { templates }, tasks }: Pick<Served, "surface" | "tasks">,
  { owner }: Peer,
  subscribe: boolean,
): void {
  const listChanged = server.getCapabilities().resources?.listChanged ?? false;
  server.registerCapabilities({ resources: { listChanged, ...(subscribe && { subscribe }) } });
  const plainList = server.handlerOf("resources/list");
  const plainTemplates = server.handlerOf("resources/templates/list");
  const plainRead = server.handlerOf("resources/read");
  const prefixes = templates.map((template) => [prefixOf(template), template] as const);

  server.setOwnHandler(
    "resources/list",
    ListParams,
    async (params, ctx) =>
      plainList ? await plainList(asRequest("resources/list", params, ctx), ctx) : { resources: [] },
  );

  server.setOwnHandler("resources/templates/list", ListParams, async (params, ctx) => {
    const plain = plainTemplates ? await plainTemplates(asRequest("resources/templates/list", params, ctx), ctx) : {};
    const ours = templates.map(({ read: _, ...template }) => template);
    return { ...plain, resourceTemplates: [...ours, ...Listed.parse(plain.resourceTemplates)] };
  });

  server.setOwnHandler("resources/read", ReadParams, async (params, ctx) => {
    const { uri } = params;
    const found = prefixes.find(([prefix]) => uri.startsWith(prefix));
    if (found === undefined) {
      try {
        if (plainRead) return await plainRead(asRequest("resources/read", params, ctx), ctx);
        throw noResource(`Resource not found: ${uri.slice(0, 200)}`, uri);
      } catch (error) {
        if (error instanceof ResourceNotFoundError) tasks.refuse(owner, "read", `Unknown resource ${quote(uri)}.`);
        throw error;
      }
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
