/**
 * What a job has returned for the model to see, as content blocks of MCP.
 *
 * @module
 */
import type { ContentPart, ResultValue } from "../../task.ts";
import type { ContentBlock } from "../surface.ts";

/** The blocks of a result, whose resource has this URI: its content, or its value as text. */
export function blocksOf({ value, content }: ResultValue, uri: string): readonly ContentBlock[] {
  if (content !== undefined) return content.map((part, index) => blockOf(part, partUri(uri, index + 1)));
  return [textBlock(typeof value === "string" ? value : JSON.stringify(value))];
}

function blockOf(part: ContentPart, uri: string): ContentBlock {
  if (part.type !== "file") return part;
  const { name, mimeType, data } = part;
  return { type: "resource", resource: { uri, mimeType, blob: data, _meta: { name } } };
}

/** A text as a block. */
export function textBlock(text: string): ContentBlock {
  return { type: "text", text };
}

/** The URI of a part of a result, from 1; 0 is the value, whose URI is that of the result. */
export function partUri(uri: string, part: number): string {
  return part === 0 ? uri : `${uri}/${part}`;
}
