/**
 * The results of a job as resources.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import type { RegisteredJob } from "../../registry.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { cutToFit, quote } from "../../text.ts";
import { taskOfJob } from "../task_of_job.ts";
import { pageOf, pagesOf, type Piece, readableBytes, ResultPartNotFound } from "../answers/pages.ts";
import type { ResourceContent, ResourcePlace, SurfaceTemplate } from "../surface.ts";
import { partUri, resourceUri, TASK_ID } from "./uris.ts";

/**
 * The resource template of a job's results. A resource has the value as JSON, and each part of the content with its own URI,
 * such as `mcp://results/<job>/<task_id>/1`. What is too large has pages, such as `mcp://results/<job>/<task_id>?page=2`.
 */
export function resultTemplate(registered: RegisteredJob, tasks: Tasks): SurfaceTemplate {
  const { name, title, job } = registered;
  return {
    name: `${job.name} results`,
    title: title && `${title}: results`,
    description: `The result of a finished ${name} task. A large one has pages: add ?page=2, and so on`,
    uriTemplate: resourceUri({ job: job.name, id: TASK_ID }),
    mimeType: "application/json",
    read: (place, owner) => readResult(registered, tasks, place, owner),
  };
}

/** Reads the result of a task, or a part or page of it. */
export async function readResult(
  { job, inlineBytes }: RegisteredJob,
  tasks: Tasks,
  { id, part, page }: ResourcePlace,
  owner: string,
): Promise<readonly ResourceContent[]> {
  const task = await taskOfJob(tasks, job.name, id, owner);
  const outcome = await tasks.outcome(task);
  if (outcome.kind !== "value") {
    const text = `Task ${id} has no result, it is ${task.status}: ${outcome.message}`;
    throw new JobFault(cutToFit(text, readableBytes(inlineBytes)));
  }
  const uri = resourceUri(task);
  const pages = pagesOf(outcome, inlineBytes, part);
  if (pages.length === 0) {
    throw new ResultPartNotFound(
      `There is no part ${quote(part ?? "")} of ${uri}: it has ${outcome.content?.length ?? 0}.`,
    );
  }
  const of = part === undefined ? uri : `${uri}/${part}`;
  const found = pageOf(pages, page ?? 1, of);
  if (page === undefined && pages.length === 1) return found.map((piece) => contentOf(piece, partUri(uri, piece.part)));
  const number = Number(page ?? 1);
  const next = number < pages.length && { nextPage: `${of}?page=${number + 1}` };
  const _meta = { page: number, pages: pages.length, ...next };
  return found.map((piece) => ({ ...contentOf(piece, uriOf(piece, uri, `${of}?page=${number}`)), _meta }));
}

/** A part that stands whole on a page of several parts keeps its own URI. */
function uriOf({ part, slice }: Piece, uri: string, page: string): string {
  return slice === undefined && part > 0 ? partUri(uri, part) : page;
}

function contentOf(piece: Piece, uri: string): ResourceContent {
  // A slice of a PNG is no PNG, and a slice of JSON no JSON.
  if ("text" in piece) return { uri, mimeType: piece.slice ? "text/plain" : piece.mimeType, text: piece.text };
  return { uri, mimeType: piece.slice ? "application/octet-stream" : piece.mimeType, blob: piece.blob };
}
