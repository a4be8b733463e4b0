/**
 * The beginning of a result that is too large for one answer, and how to read the rest.
 *
 * @module
 */
import type { ContentPart, ResultValue, TaskInfo } from "../../task.ts";
import { byteLength, cut, cutToFit, isLonger } from "../../text.ts";
import type { ContentBlock, ResultForm } from "../surface.ts";
import { partUri } from "../resources/uris.ts";
import { blocksOf, textBlock } from "./content_blocks.ts";
import { bytesIn, countOf, type Page, pagesOf, readableBytes } from "./pages.ts";
import type { PollingResponse } from "./response.ts";

/** The bytes that are reserved for the texts around the blocks, which matters for the smallest answers. */
const SPARE_BYTES = 800;

/** How much of the name of a missing file is told, in UTF-16 units, and of how many missing parts what they are. */
const NAME = 60;
const NAMED_PARTS = 2;

export interface Beginning {
  /**
   * The blocks that have room in the answer. The last one tells how to read the rest, unless the handle has that as text. If a
   * text is cut, it is the same block, because some clients pass on only the first one, as smolagents does.
   */
  readonly blocks: readonly ContentBlock[];
  /** The data of the answer: `message` is the beginning of the text, and `next` says how to read the pages. */
  readonly handle: Required<Pick<PollingResponse, "token" | "status" | "message" | "resource" | "pages" | "next">>;
  /**
   * A link to what is missing; none where a tool has the pages, because AutoGen, LangChain and Semantic Kernel fail on such a
   * block, and `next` names the resource, too.
   */
  readonly link: readonly [] | readonly [ContentBlock];
}

/** Images, sounds and files. */
type BinaryPart = Extract<ContentPart, { readonly data: string }>;

/** One of them that an answer lacks, with its number in the content, from 1. */
type MissingPart = BinaryPart & { readonly number: number };

interface BeginningForm extends ResultForm {
  readonly inlineBytes: number;
  /** Whether the answer also has all of the result's value. */
  readonly hasValue: boolean;
  /** Whether a text of the answer has the handle, too, as JSON. */
  readonly inText: boolean;
}

/** The beginning of the result of a task, whose resource is `uri`. */
export function beginningOf(
  result: ResultValue,
  { id: token, status }: Pick<TaskInfo, "id" | "status">,
  uri: string,
  { inlineBytes, pageCall, hasValue, inText }: BeginningForm,
): Beginning {
  const blocks = blocksOf(result, uri);
  const message = headOf(blocks.find((block) => block.type === "text")?.text ?? "", inlineBytes);
  const around = SPARE_BYTES + (inText ? byteLength(JSON.stringify(JSON.stringify(message))) : 0);
  const room = readableBytes(inlineBytes) - around;
  const hasRoom = withRoom(blocks, room);
  const whole = blocks.filter((_, index) => hasRoom[index]);
  const next = blocks.find((block, index) => isText(block) && !hasRoom[index]);
  const left = room - sizeOf(whole);
  const pages = pagesOf(result, inlineBytes);
  const parts = result.content?.map((part, index) => ({ ...part, number: index + 1 })) ?? [];
  const missing = hasValue || result.value === null ? parts.filter((_, index) => !hasRoom[index]) : [];
  const lacking = missing.every(isBinary) ? missing : [];
  const only = lacking.length === 1 ? lacking[0] : undefined;
  const rest = lacking.length > 0 ? binaryRest(lacking, only, pages, uri) : {
    what: `is only the beginning of the result, which has ${countOf(pages)}`,
    place: `${uri}?page=1 and so on`,
    page: 1,
  };
  // Most models can call tools, but read no resources.
  const read = pageCall === undefined || rest.page === undefined
    ? "Read"
    : `Call ${pageCall} with the token ${token} and page ${rest.page}, or read`;
  const how = `This ${rest.what}. ${read} the resource ${rest.place}.`;
  const told = inText ? [] : [how];
  const shown = next?.type === "text" ? [headOf(next.text, inlineBytes, left), ...told] : told;
  return {
    blocks: [...whole, ...shown.length > 0 ? [textBlock(shown.join("\n\n"))] : []],
    handle: { token, status, message, resource: uri, pages: pages.length, next: how },
    link: pageCall === undefined ? [linkTo(result, uri, only)] : [],
  };
}

function isBinary<T extends ContentPart>(part: T): part is T & BinaryPart {
  return "data" in part;
}

/**
 * What is missing if a model can read all the rest in the answer, and where it is. `page` is the one to read; absent if no
 * message can carry what is missing.
 */
function binaryRest(
  missing: readonly MissingPart[],
  only: MissingPart | undefined,
  pages: readonly Page[],
  uri: string,
) {
  const first = pages.findIndex((page) => page.some(({ part }) => part === missing[0]?.number));
  const isSliced = only && pages[first]?.some(({ slice }) => slice !== undefined);
  const names = missing.slice(0, NAMED_PARTS).map(nameOf);
  const more = missing.length - names.length;
  return {
    what: `answer lacks ${[...names, ...more > 0 ? [`${more} more`] : []].join(" and ")}`,
    place: only ? partUri(uri, only.number) : `${uri}?page=${first + 1} and so on`,
    page: isSliced ? undefined : first + 1,
  };
}

function nameOf(part: BinaryPart): string {
  const name = part.type === "file" ? `the file ${JSON.stringify(cut(part.name, NAME))}` : `the ${part.type}`;
  return `${name} (${cut(part.mimeType, NAME)}, ${bytesIn(part.data).toLocaleString("en")} bytes)`;
}

/**
 * Which blocks have room in `most` bytes: the texts and links up to the first that does not fit, and of what stands between
 * them those images, sounds and files that fit, too.
 */
function withRoom(blocks: readonly ContentBlock[], most: number): readonly boolean[] {
  const fits = filling(most);
  const end = blocks.findIndex((block) => isText(block) && !fits(block));
  return blocks.map((block, index) => (end < 0 || index < end) && (isText(block) || fits(block)));
}

function isText({ type }: ContentBlock): boolean {
  return type === "text" || type === "resource_link";
}

/** Says of one block after the other whether it fits, too, into what those that fit have left of `most` bytes. */
function filling(most: number): (block: ContentBlock) => boolean {
  let left = most;
  return (block) => {
    const bytes = isLonger(block, left) ? Infinity : sizeOf([block]);
    if (bytes > left) return false;
    left -= bytes;
    return true;
  };
}

/** The bytes of blocks in an answer. */
function sizeOf(blocks: readonly ContentBlock[]): number {
  return blocks.reduce((bytes, block) => bytes + byteLength(JSON.stringify(block)) + 1, 0);
}

/** The beginning of a text, of at most `most` bytes, and short enough for a copy of it as JSON within JSON. */
function headOf(text: string, inlineBytes: number, most = Infinity): string {
  return cutToFit(text, Math.min(2_000, inlineBytes / 16, most));
}

/** A link to the whole result, or to the one image, sound or file that is missing of it. */
function linkTo({ content }: ResultValue, uri: string, only: MissingPart | undefined): ContentBlock {
  const target = only
    ? { uri: partUri(uri, only.number), mimeType: only.mimeType }
    : { uri, ...(content === undefined && { mimeType: "application/json" }) };
  const name = only?.type === "file" ? only.name : target.uri.replace(/^mcp:\/\//, "");
  return { type: "resource_link", name, description: "What is missing of the result", ...target };
}
