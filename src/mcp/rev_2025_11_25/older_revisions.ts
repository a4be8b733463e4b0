/**
 * What clients of older revisions cannot read.
 *
 * @module
 */
import type { ToolResult } from "../../exposure/surface.ts";

/** The first revision with `resource_link` blocks. Older clients refuse a whole result because of one. */
const FIRST_WITH_LINKS = "2025-06-18";

/** A result with only the blocks that a client of this revision knows. It ignores whatever else is new. */
export function readableIn(revision: string | undefined, result: ToolResult): ToolResult {
  // Revisions are dates.
  if (revision === undefined || revision >= FIRST_WITH_LINKS) return result;
  return { ...result, content: result.content.filter(({ type }) => type !== "resource_link") };
}
