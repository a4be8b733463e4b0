/**
 * From a tool result of any size to one that a message can carry: what does not fit is left to its resource.
 *
 * @module
 */
import { cut, cutToFit, fits } from "../../text.ts";
import type { ContentBlock, ToolResult } from "../surface.ts";

/** How much of a result that is left out stands here all the same, in UTF-16 units. */
const HEAD = 2_000;

/**
 * A result as it is, if it fits. Else without its second copy: the text stays, or the data where the tool is `typed`, has
 * an output schema that promises them. Else its beginning alone, and the way to its resource. A typed result is an error
 * then: clients refuse any other answer without data (2025-11-25, Tools, "Output Schema").
 */
export function fitted(result: ToolResult, typed: boolean): ToolResult {
  if (fits(result)) return result;
  const { structuredContent, ...withoutData } = result;
  const text = result.content.map((block) => block.type === "text" ? block.text : "").join("\n");
  if (structuredContent !== undefined) {
    const note = headOf(text, "It is too large to stand here twice: `structuredContent` has the whole.");
    const once = typed ? { ...result, content: [textBlock(note)] } : withoutData;
    if (fits(once)) return once;
  }
  if (result.isError) return { ...withoutData, content: [textBlock(cutToFit(text))] };
  const uri = result._meta?.resourceUri;
  return {
    ...withoutData,
    content: typeof uri === "string"
      ? [textBlock(headOf(text, tooLarge(uri))), linkTo(uri)]
      : [textBlock(headOf(text, "It is too large for one message."))],
    ...(typed && { isError: true }),
  };
}

/** The beginning of a text, and what to say of the rest. */
export function headOf(text: string, note: string): string {
  return `${cut(text, HEAD)}\n\nThis is only the beginning of the result. ${note}`;
}

/** Where the whole of a result stands that no message can carry. */
export function tooLarge(uri: string): string {
  return `It is too large for one message. Read the resource ${uri}: it has pages, ${uri}?page=1 and so on.`;
}

/** Old clients know no such block, and LangChain's agents fail at one: only for a result that does not stand here whole. */
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
