/**
 * Cuts a tool result of any size to one that fits into a message. The rest can be read as a resource.
 *
 * @module
 */
import { cut, cutToFit, fits } from "../../text.ts";
import type { ContentBlock, ToolResult } from "../surface.ts";

/** How much of a result that does not fit is included, in UTF-16 units. */
const HEAD = 2_000;

/**
 * Returns a result unchanged if it fits. Otherwise removes its second copy: the text stays, or the data if the tool is
 * `typed`, which means that its output schema promises them. If that does not fit either, only the beginning stays, with a
 * link to the resource. A typed result is then an error, because clients refuse any other answer without data (2025-11-25,
 * Tools, "Output Schema").
 */
export function fitted(result: ToolResult, typed: boolean): ToolResult {
  if (fits(result)) return result;
  const { structuredContent, ...withoutData } = result;
  const text = result.content.map((block) => block.type === "text" ? block.text : "").join("\n");
  if (structuredContent !== undefined) {
    const note = beginningOf(text, "The text would repeat it: `structuredContent` has the whole.");
    const once = typed ? { ...result, content: [textBlock(note)] } : withoutData;
    if (fits(once)) return once;
  }
  if (result.isError) return { ...withoutData, content: [textBlock(cutToFit(text))] };
  const uri = result._meta?.resourceUri;
  return {
    ...withoutData,
    content: typeof uri === "string"
      ? [textBlock(beginningOf(text, tooLargeNote(uri))), linkTo(uri)]
      : [textBlock(beginningOf(text, "It is too large for one message."))],
    ...(typed && { isError: true }),
  };
}

/** The beginning of a text, and a note about the rest. */
export function beginningOf(text: string, note: string): string {
  return `${cut(text, HEAD)}\n\nThis is only the beginning of the result. ${note}`;
}

/** Says where to read a result that is too large for a message. */
export function tooLargeNote(uri: string): string {
  return `It is too large for one message. Read the resource ${uri}: it has pages, ${uri}?page=1 and so on.`;
}

/** A link to the resource. Old clients do not know this block, and LangChain agents fail on it, so use it only for a result that is cut. */
export function linkTo(uri: string): ContentBlock {
  return {
    type: "resource_link",
    uri,
    name: uri.replace(/^mcp:\/\//, ""),
    description: "The whole result, in pages",
    mimeType: "application/json",
  };
}

function textBlock(text: string): ContentBlock {
  return { type: "text", text };
}
