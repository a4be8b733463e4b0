/**
 * The resources of one connection: the results of tasks, and what the user registers through the SDK.
 *
 * @module
 */
import { type ProtocolError, ResourceNotFoundError } from "@modelcontextprotocol/server";
import { z } from "zod";
import { TaskNotFound } from "../errors.ts";
import { partOf, prefixOf } from "../exposure/resources/uris.ts";
import { ResultPartNotFound } from "../exposure/answers/pages.ts";
import type { ResourcePlace, SurfaceTemplate } from "../exposure/surface.ts";
import { quote } from "../text.ts";
import { toProtocolError } from "./errors.ts";
import type { TaskServer } from "./host.ts";
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
  { surface, tasks }: Pick<Served, "surface" | "tasks">,
  { owner, known }: Peer,
  { subscriptions: subscribe }: Pick<Connection, "subscriptions">,
): void {
  // Not kept: a server with hundreds of jobs has as many templates, and each session would hold a list of them.
  const templates = () => surface.templates.filter(({ knownOnly }) => known || !knownOnly);
  const listChanged = server.getCapabilities().resources?.listChanged ?? false;
  server.registerCapabilities({ resources: { listChanged, ...(subscribe && { subscribe }) } });
  const plainTemplates = server.plainHandler("resources/templates/list");
  const plainRead = server.plainHandler("resources/read");

  if (server.handlerOf("resources/list") === undefined) {
    server.setOwnHandler("resources/list", ListParams, () => Promise.resolve({ resources: [] }));
  }

  server.setOwnHandler("resources/templates/list", ListParams, async (params, ctx) => {
    const plain = await plainTemplates?.(params, ctx) ?? {};
    const ours = templates().map(({ read: _, knownOnly: __, ...template }) => template);
    const { page, ...next } = pageOf([...ours, ...Listed.parse(plain.resourceTemplates)], params.cursor);
    return { ...plain, resourceTemplates: page, ...next };
  });

  server.setOwnHandler("resources/read", ReadParams, async (params, ctx) => {
    const { uri } = params;
    const [template, place] = resourceAt(uri, templates()) ?? [];
    if (template === undefined || place === undefined) {
      try {
        if (plainRead) return await plainRead(params, ctx);
        throw noResource(`Resource not found: ${uri.slice(0, 200)}`, uri);
      } catch (error) {
        if (error instanceof ResourceNotFoundError) tasks.refuse(owner, "read", `Unknown resource ${quote(uri)}.`);
        throw error;
      }
    }
    try {
      return { contents: await template.read(place, owner, ctx.mcpReq.signal) };
    } catch (error) {
      const isMissing = error instanceof TaskNotFound || error instanceof ResultPartNotFound;
      throw isMissing ? noResource(error.message, uri) : toProtocolError(error, tasks.onError);
    }
  });
}

/** The most specific template that fits a URI, and the place in it; `undefined` if none fits. */
function resourceAt(uri: string, templates: readonly SurfaceTemplate[]): [SurfaceTemplate, ResourcePlace] | undefined {
  return templates.filter((template) => uri.startsWith(prefixOf(template)))
    .map((template): [SurfaceTemplate, ResourcePlace] => [template, placeOf(uri.slice(prefixOf(template).length))])
    .filter(([template, { part }]) => partOf(template) === undefined || partOf(template) === part)
    .sort(([one], [other]) => specificityOf(other) - specificityOf(one))[0];
}

/** How specific a template is: `…/latest` is not a task id, and `log` is not a part of a result. */
function specificityOf(template: SurfaceTemplate): number {
  return prefixOf(template).length + (partOf(template)?.length ?? 0);
}

/** Parses what follows the prefix of a URI: `<id>`, `<id>/<part>`, and either with `?page=<number>`. */
function placeOf(rest: string): ResourcePlace {
  const at = rest.indexOf(PAGE);
  const [path, page] = at < 0 ? [rest] : [rest.slice(0, at), rest.slice(at + PAGE.length)];
  const slash = path.indexOf("/");
  return slash < 0 ? { id: path, page } : { id: path.slice(0, slash), part: path.slice(slash + 1), page };
}

/** -32602 with the URI, as 2026-07-28 demands; the SDK never sends the -32002 that 2025-11-25 suggests. */
function noResource(message: string, uri: string): ProtocolError {
  return new ResourceNotFoundError(uri.slice(0, 200), message);
}
