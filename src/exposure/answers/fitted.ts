/**
 * Keeps the results of tools within one message.
 *
 * @module
 */
import { cut, cutToFit, fits } from "../../text.ts";
import type { ToolResult } from "../surface.ts";
import { textBlock } from "./content_blocks.ts";

/** How much of a result that does not fit is included, in UTF-16 units. */
const HEAD = 2_000;

/**
 * Returns a result unchanged if it fits into a message; `callResult` gives no other. From the result of a strategy or a plain
 * tool that does not fit, only a text remains: of an error as much as fits, of another result the beginning, and that it was
 * too large, which is an error.
 */
export function fitted(result: ToolResult): ToolResult {
  if (fits(result)) return result;
  const text = result.content.map((block) => block.type === "text" ? block.text : "").join("\n");
  const left = result.isError ? cutToFit(text) : `${cut(text, HEAD)}\n\nThe result is too large for one message.`;
  return { content: [textBlock(left)], isError: true };
}
