/**
 * The resources of one connection: the results of tasks, and what the user registers through the SDK.
 *
 * @module
 */
import { type ProtocolError, ResourceNotFoundError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { TaskNotFound } from "../errors.ts";
import { prefixOf } from "../exposure/answers/call_result.ts";
import { fits, pagesOf, quote } from "../text.ts";
import { toProtocolError } from "./errors.ts";
import { asRequest, type TaskServer } from "./host.ts";
import { Listed, pageOf } from "./list_page.ts";
import { ListParams } from "./params.ts";
import type { Peer } from "./peer.ts";
import type { Connection } from "./revision.ts";
import type { Served } from "./served.ts";

/** Precedes the number of a page in a URI. */
const PAGE = "?page=";

const ReadParams = z.looseObject({ uri: z.string() });

/** Binds the templates of a surface to one connection. */
export function bindResources(
  server: TaskServer,
  { surface: { templates }, tasks }: Pick<Served, "surface" | "tasks">,
  { owner }: Peer,
  { subscriptions: subscribe }: Pick<Connection, "subscriptions">,
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
    const { page, ...next } = pageOf([...ours, ...Listed.parse(plain.resourceTemplates)], params.cursor);
    return { ...plain, resourceTemplates: page, ...next };
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
    const [id, page] = splitPage(uri.slice(prefix.length));
    try {
      const text = await template.read(id, owner);
      return { contents: [contentOf(text, page, `${prefix}${id}`, template.mimeType)] };
    } catch (error) {
      throw error instanceof TaskNotFound ? noResource(error.message, uri) : toProtocolError(error);
    }
  });
}

/** Splits what follows the prefix of a URI: the id of a task and, after `?page=`, a page of its result. */
function splitPage(rest: string): readonly [id: string, page?: string] {
  const at = rest.indexOf(PAGE);
  return at < 0 ? [rest] : [rest.slice(0, at), rest.slice(at + PAGE.length)];
}

/** A resource, or the requested page of it. Without a page, a resource too large for one message gives its first one. */
function contentOf(text: string, page: string | undefined, uri: string, mimeType: string) {
  if (page === undefined && fits(text)) return { uri, mimeType, text };
  const pages = pagesOf(text);
  const number = Number(page ?? 1);
  const part = pages[number - 1];
  if (part === undefined || !/^[1-9]\d*$/.test(page ?? "1")) {
    const many = pages.length === 1 ? "1 page" : `${pages.length} pages`;
    throw noResource(`There is no page ${quote(page ?? "")} of ${uri}: it has ${many}, the first is page 1.`, uri);
  }
  const next = number < pages.length && { nextPage: `${uri}${PAGE}${number + 1}` };
  return {
    uri: `${uri}${PAGE}${number}`,
    // A part of a JSON text is not JSON.
    mimeType: pages.length === 1 ? mimeType : "text/plain",
    text: part,
    _meta: { page: number, pages: pages.length, ...next },
  };
}

/** -32602 with the URI, as 2026-07-28 demands; the SDK never sends the -32002 that 2025-11-25 suggests. */
function noResource(message: string, uri: string): ProtocolError {
  return new ResourceNotFoundError(uri.slice(0, 200), message);
}
