/**
 * What clients of old revisions cannot read.
 *
 * @module
 */
import type { ToolResult } from "../../exposure/surface.ts";

/** The first revision with `resource_link` blocks. Clients of older ones refuse the whole result for one. */
const FIRST_WITH_LINKS = "2025-06-18";

/** A result with the blocks that a client of this revision knows; what else is new to it, it passes over. */
export function readableIn(revision: string | undefined, result: ToolResult): ToolResult {
  // Revisions are dates.
  if (revision === undefined || revision >= FIRST_WITH_LINKS) return result;
  return { ...result, content: result.content.filter(({ type }) => type !== "resource_link") };
}
