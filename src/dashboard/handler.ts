/**
 * Answers the requests of the page.
 *
 * @module
 */
import { BackendError, JobsError } from "../errors.ts";
import { messageOf } from "../text.ts";
import { hasToken, refusal, secured } from "./access.ts";
import { actionOf } from "./actions.ts";
import { FILES } from "./files.ts";
import { PageStream } from "./stream.ts";
import { type Sources, viewOf } from "./views/mod.ts";
import type { Refused, ValueRead } from "./wire.ts";

export interface Served extends Sources {
  readonly token: string;
  readonly streams: Set<PageStream>;
}

/** Answers one request to the port. */
export async function answer(request: Request, port: number, served: Served): Promise<Response> {
  return secured(await route(request, port, served).catch(failed));
}

async function route(request: Request, port: number, served: Served): Promise<Response> {
  const reason = refusal(request, port);
  if (reason !== undefined) return refuse(403, reason);
  const { pathname, searchParams } = new URL(request.url);
  // The page itself holds nothing of the tasks.
  const file = request.method === "GET" ? FILES.get(pathname) : undefined;
  if (file) return new Response(file.text, { headers: { "content-type": `${file.type}; charset=utf-8` } });
  if (!hasToken(request, served.token)) return refuse(401, "Open the page at the URL that the command printed.");
  const [, api, kind = "", name = "", verb = ""] = pathname.split("/").map(decodeURIComponent);
  if (api !== "api") return refuse(404, "There is nothing here.");
  if (request.method === "POST") {
    const act = actionOf(kind, verb);
    if (act === undefined) return refuse(404, "There is no such action.");
    const done = await act(served.operator, name);
    for (const stream of served.streams) stream.refresh();
    return Response.json(done);
  }
  if (request.method !== "GET") return refuse(405, "Only GET and POST are known.");
  if (kind === "live") return openStream(searchParams, served);
  if (kind === "tasks" && verb === "input") return json({ input: await served.operator.input(name) });
  if (kind === "tasks" && verb === "outcome") return json({ outcome: await outcomeOf(name, served) });
  return refuse(404, "There is nothing here.");
}

function openStream(query: URLSearchParams, served: Served): Response {
  const view = viewOf(query, served);
  if (view === undefined) return refuse(404, "There is no such view.");
  const stream = new PageStream(view, served.backend, () => served.streams.delete(stream));
  served.streams.add(stream);
  return new Response(stream.body, { headers: { "content-type": "application/x-ndjson" } });
}

async function outcomeOf(id: string, { operator, backend }: Served): Promise<ValueRead["outcome"]> {
  const { owner } = await operator.get(id);
  return await backend.outcome(id, owner);
}

function json(value: ValueRead): Response {
  return Response.json(value);
}

function failed(error: unknown): Response {
  if (error instanceof BackendError) return refuse(503, error.message);
  if (error instanceof JobsError) return refuse(409, error.message);
  if (error instanceof URIError) return refuse(400, "The path is not well-formed.");
  return refuse(500, messageOf(error));
}

function refuse(status: number, error: string): Response {
  return Response.json({ error } satisfies Refused, { status });
}
