/**
 * The beginning of a result that is too large for one answer, and how to read the rest.
 *
 * @module
 */
import type { ResultValue, TaskInfo } from "../../task.ts";
import { byteLength, cutToFit, isLonger } from "../../text.ts";
import type { ContentBlock, ResultForm } from "../surface.ts";
import { blocksOf, partUri, textBlock } from "./content_blocks.ts";
import { pagesOf, readableBytes } from "./pages.ts";
import type { PollingResponse } from "./response.ts";

/** The bytes that are reserved for the texts around the blocks, which matters for the smallest answers. */
const SPARE_BYTES = 800;

/** The beginning of a result. */
export interface Beginning {
  /** The blocks that have room in the answer; the text at their end may be cut. */
  readonly blocks: readonly ContentBlock[];
  /** The data of the answer: `message` is the beginning of the text, and `next` says how to read the pages. */
  readonly handle: Required<Pick<PollingResponse, "token" | "status" | "message" | "resource" | "pages" | "next">>;
  /** A link to what is missing. Old clients do not know this block, and LangChain agents fail on it. */
  readonly link: ContentBlock;
}

/** The beginning of the result of a task, whose resource is `uri`. */
export function beginningOf(
  result: ResultValue,
  { id: token, status }: Pick<TaskInfo, "id" | "status">,
  uri: string,
  { inlineBytes, pageCall }: ResultForm & { readonly inlineBytes: number },
): Beginning {
  const blocks = blocksOf(result, uri);
  const whole = leading(blocks, readableBytes(inlineBytes) - SPARE_BYTES);
  const next = blocks[whole.length];
  const text = blocks.find((block) => block.type === "text")?.text ?? "";
  const { length: pages } = pagesOf(result, inlineBytes);
  const many = pages === 1 ? "1 page" : `${pages} pages`;
  const how = `Read the resource ${uri}?page=1 and so on` +
    (pageCall === undefined ? "." : `, or call ${pageCall} with the token ${token} and page 1.`);
  return {
    blocks: next?.type === "text" ? [...whole, textBlock(headOf(next.text, inlineBytes))] : whole,
    handle: {
      token,
      status,
      message: headOf(text, inlineBytes),
      resource: uri,
      pages,
      next: `This is only the beginning of the result, which has ${many}. ${how}`,
    },
    link: linkTo(result, uri, whole.length),
  };
}

/** The first blocks, as many as have at most `most` bytes together. */
function leading(blocks: readonly ContentBlock[], most: number): readonly ContentBlock[] {
  let left = most;
  const end = blocks.findIndex((block) => isLonger(block, left) || (left -= byteLength(JSON.stringify(block)) + 1) < 0);
  return end < 0 ? blocks : blocks.slice(0, end);
}

/** The beginning of a text, short enough for three copies of it in one answer, one of them as JSON within JSON. */
function headOf(text: string, inlineBytes: number): string {
  return cutToFit(text, Math.min(2_000, inlineBytes / 16));
}

/** A link to the whole result, or to the last part of its content if only that is missing. */
function linkTo({ content }: ResultValue, uri: string, whole: number): ContentBlock {
  const last = content !== undefined && whole === content.length - 1 ? content[whole] : undefined;
  const target = last !== undefined && "data" in last
    ? { uri: partUri(uri, whole + 1), mimeType: last.mimeType }
    : { uri, ...(content === undefined && { mimeType: "application/json" }) };
  const name = target.uri.replace(/^mcp:\/\//, "");
  return { type: "resource_link", name, description: "What is missing of the result", ...target };
}
