/**
 * What all tools that take the token of a task have in common.
 *
 * @module
 */
import { TaskFinished, TaskNotFound, TaskNotReady } from "../../errors.ts";
import { DEFAULT_INLINE_BYTES } from "../../registry.ts";
import type { JsonSchema } from "../../schema/json_schema.ts";
import { validate } from "../../schema/schema.ts";
import { cutToFit } from "../../text.ts";
import type { FinishedTask, Json, ResultValue } from "../../task.ts";
import type { Tasks } from "../../tasks/tasks.ts";
import { beginningOf } from "./beginning.ts";
import { inlineAnswer } from "./call_result.ts";
import { blocksOf, textBlock } from "./content_blocks.ts";
import { nextShown, pageOf, pagesOf, type Piece, ResultPartNotFound } from "./pages.ts";
import { formatResponse, toToolResult } from "./response.ts";
import { partUri, resourceUri } from "../resources/uris.ts";
import type { CallContext, ContentBlock, ResultForm, SurfaceTool, ToolResult } from "../surface.ts";

/** The input schema of a tool that takes a token, and `more` optional properties. */
export function tokenSchema(more: { readonly [name: string]: JsonSchema } = {}): JsonSchema {
  return {
    type: "object",
    properties: { token: { type: "string", description: "The token that the call returned" }, ...more },
    required: ["token"],
    additionalProperties: false,
  };
}

/** The schema of `page`, as a property of the input of a tool that returns results. */
export const PAGE_SCHEMA: JsonSchema = {
  type: "integer",
  minimum: 1,
  description: "Which page of a result that is too large for one answer; the first is 1",
};

/**
 * What a tool returns for a task that has ended: its status with the result or the error. Of a result that is too large it
 * returns the beginning, and with `page` that page. Rejects with `ResultPartNotFound` if there is no such page.
 */
export async function endedAnswer(
  task: FinishedTask,
  tasks: Tasks,
  form: ResultForm,
  page?: number,
): Promise<ToolResult> {
  const { inlineBytes = DEFAULT_INLINE_BYTES } = form;
  const outcome = await tasks.outcome(task);
  const response = formatResponse(task, outcome);
  if (outcome.kind !== "value") {
    return toToolResult({ ...response, error: cutToFit(outcome.message, inlineBytes / 4) });
  }
  if (page !== undefined) return pageAnswer(task, outcome, { ...form, inlineBytes }, page);
  const uri = resourceUri(task);
  const content = outcome.content === undefined ? [] : blocksOf(outcome, uri);
  const whole = toToolResult(response, content);
  const cut = (hasValue: boolean): ToolResult => {
    const { blocks, handle, link } = beginningOf(outcome, task, uri, { ...form, inlineBytes, hasValue, inText: true });
    const value = hasValue && { result: outcome.value };
    return toToolResult({ ...handle, ...value }, outcome.content === undefined ? link : [...blocks, ...link]);
  };
  return inlineAnswer(whole, cut, inlineBytes, content.length > 0 ? outcome.value : null);
}

/** A page of a result, as text and as data. */
function pageAnswer(
  { id: token, job, status }: FinishedTask,
  result: ResultValue,
  { inlineBytes, pageCall }: ResultForm & { readonly inlineBytes: number },
  page: number,
): ToolResult {
  const uri = resourceUri({ id: token, job });
  const pages = pagesOf(result, inlineBytes);
  const pieces = pageOf(pages, page, `the result of task ${token}`);
  const text = pieces.flatMap((piece) => "text" in piece ? [piece.text] : []).join("\n");
  const how = pageCall === undefined ? `Read the resource ${uri}?page=` : `Call ${pageCall} with this token and page `;
  const after = pageCall === undefined && page < pages.length ? page + 1 : nextShown(pages, page);
  const next = after !== undefined && { next: `${how}${after}.` };
  const structuredContent: { readonly [key: string]: Json } = {
    token,
    status,
    page,
    pages: pages.length,
    ...(text !== "" && { text }),
    ...next,
  };
  const blocks = result.content === undefined ? [] : blocksOf(result, uri);
  const title = `Page ${page} of ${pages.length}.${next ? ` ${next.next}` : ""}`;
  const shown = pieces.map((piece) => blockOf(piece, blocks, uri));
  // In one block with the text, because some clients pass on only the first one, as smolagents does.
  const content = shown[0]?.type === "text"
    ? [textBlock(`${title}\n\n${shown[0].text}`), ...shown.slice(1)]
    : [textBlock(title), ...shown];
  return { content, structuredContent };
}

function blockOf(piece: Piece, blocks: readonly ContentBlock[], uri: string): ContentBlock {
  const { part, mimeType, slice } = piece;
  const block = slice === undefined ? blocks[part - 1] : undefined; // The value, part 0, has none.
  if (block !== undefined) return block;
  if ("text" in piece) return textBlock(piece.text);
  const where = `read the resource ${partUri(uri, part)}, which has ${slice?.of} pages`;
  return textBlock(`Part ${part} (${mimeType}) is too large for one message: ${where}.`);
}

/**
 * The `call` of a tool that takes a token: validates the input, or rejects with `InvalidInput`, and answers as `use` does, with
 * `explainErrors`.
 */
export function tokenCall<Input extends { readonly token: string }>(
  name: string,
  schema: JsonSchema,
  use: (input: Input, ctx: CallContext) => Promise<ToolResult>,
): SurfaceTool["call"] {
  return async (input, ctx) => {
    const given = await validate(schema, input, `input for ${name}`) as Input;
    return { kind: "result", result: await explainErrors(given.token, () => use(given, ctx)) };
  };
}

/** Calls `use`, and turns its errors that the model can correct, such as an unknown token, into error results. */
export async function explainErrors(token: string, use: () => Promise<ToolResult>): Promise<ToolResult> {
  try {
    return await use();
  } catch (error) {
    if (error instanceof TaskNotFound || error instanceof ResultPartNotFound) {
      return { content: [textBlock(error.message)], isError: true };
    }
    if (error instanceof TaskFinished || error instanceof TaskNotReady) {
      return toToolResult({ token, status: error.status, error: error.message });
    }
    throw error;
  }
}
