/**
 * What a job has returned for the model to see, as content blocks of MCP.
 *
 * @module
 */
import type { ContentPart, Json, ResultValue } from "../../task.ts";
import { partUri } from "../resources/uris.ts";
import type { ContentBlock } from "../surface.ts";

/** The texts of values, for as long as these are in use: writing a large one takes long, and clients read it again and again. */
const texts = new WeakMap<object, string>();

/** The blocks of a result, whose resource has this URI: its content, or its value as text. */
export function blocksOf({ value, content }: ResultValue, uri: string): readonly ContentBlock[] {
  if (content !== undefined) return content.map((part, index) => blockOf(part, partUri(uri, index + 1)));
  return [textBlock(typeof value === "string" ? value : jsonOf(value))];
}

function jsonOf(value: Exclude<Json, string>): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const text = texts.get(value) ?? JSON.stringify(value);
  texts.set(value, text);
  return text;
}

function blockOf(part: ContentPart, uri: string): ContentBlock {
  if (part.type !== "file") return part;
  const { name, mimeType, data } = part;
  return { type: "resource", resource: { uri, mimeType, blob: data, _meta: { name } } };
}

export function textBlock(text: string): ContentBlock {
  return { type: "text", text };
}
