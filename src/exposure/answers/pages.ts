/**
 * The pages of a result: how it is read, part by part, if it is too large for one answer.
 *
 * @module
 */
import { JobsError } from "../../errors.ts";
import type { ContentPart, ResultValue } from "../../task.ts";
import { byteLength, MAX_PAYLOAD_BYTES, packed, quote, slicesOf } from "../../text.ts";

/** A piece of a result: the value or a part of the content, or a slice of it. */
export type Piece = PieceBase & ({ readonly text: string } | { readonly blob: string });

interface PieceBase {
  /** Which part of the content it is, from 1; 0 is the value. */
  readonly part: number;
  /** The media type of the whole part. */
  readonly mimeType: string;
  /** Which slice it is, from 1, and of how many; absent if it is the whole part. */
  readonly slice?: { readonly number: number; readonly of: number };
}

/** A page: pieces that are sent together. */
export type Page = readonly Piece[];

/** There is no such page or part of a result. */
export class ResultPartNotFound extends JobsError {}

/** What a piece takes besides its text or its bytes. */
const AROUND_BYTES = 400;

/** What a message takes besides the bytes of one part, with the longest names, media type and URI. */
const AROUND_PART_BYTES = 4_000;

/**
 * The most bytes that the texts of an answer have, and that its data have. A model reads one of them. Gemini CLI cuts what
 * its model reads at 40,000 characters, Codex at 10,000 tokens, Claude Code and opencode at 50,000 characters: by default,
 * nothing is longer than the shortest of these.
 */
export function readableBytes(inlineBytes: number): number {
  return Math.floor(inlineBytes * 2 / 5);
}

/**
 * How large a page is, in bytes. Tools send a page twice, as text and as data, and resources have the same pages. Binary
 * parts may be larger, because they are cut only if no message can carry them.
 */
function pageBytesOf(inlineBytes: number): number {
  return readableBytes(inlineBytes) - 1_000;
}

/** The parts of a result, in order: its value as JSON, unless there is only content, and its content. */
function partsOf({ value, content }: ResultValue): readonly Piece[] {
  const parts = content?.map((part, index) => partOf(part, index + 1)) ?? [];
  if (content !== undefined && value === null) return parts;
  return [{ part: 0, mimeType: "application/json", text: JSON.stringify(value) }, ...parts];
}

function partOf(part: ContentPart, number: number): Piece {
  switch (part.type) {
    case "text":
      return { part: number, mimeType: "text/plain", text: part.text };
    case "resource_link":
      return { part: number, mimeType: "text/uri-list", text: part.uri };
    default:
      return { part: number, mimeType: part.mimeType, blob: part.data };
  }
}

/** The pages of results that are in use, by what an answer may have inline, and the part. */
const cut = new WeakMap<ResultValue, Map<string, readonly Page[]>>();

/**
 * The pages of a result, or of one part of it; none if it has no such part. Small parts share a page. A text is cut at whole
 * characters, and a binary part only if it is too large for any message; each slice has a page of its own. The pages of the
 * same object are cut once.
 */
export function pagesOf(result: ResultValue, inlineBytes: number, part?: string): readonly Page[] {
  const known = cut.get(result) ?? new Map<string, readonly Page[]>();
  cut.set(result, known);
  const name = `${inlineBytes} ${part}`;
  const before = known.get(name);
  if (before) return before;
  const all = partsOf(result);
  const parts = part === undefined ? all : all.filter((one) => one.part > 0 && `${one.part}` === part);
  const pages = cutInto(parts, inlineBytes);
  if (pages.length > 0) known.set(name, pages);
  return pages;
}

function cutInto(parts: readonly Piece[], inlineBytes: number): readonly Page[] {
  const most = pageBytesOf(inlineBytes);
  const pieces = parts.flatMap((part) => sliced(part, most));
  return packed(pieces, (piece) => piece.slice ? most : bytesOf(piece), most);
}

/** The page with this number. Throws `ResultPartNotFound`. */
export function pageOf(pages: readonly Page[], number: string | number, of: string): Page {
  const page = /^[1-9]\d*$/.test(`${number}`) ? pages[Number(number) - 1] : undefined;
  if (page !== undefined) return page;
  throw new ResultPartNotFound(
    `There is no page ${quote(`${number}`)} of ${of}: it has ${countOf(pages)}, the first is page 1.`,
  );
}

export function countOf(pages: readonly Page[]): string {
  return pages.length === 1 ? "1 page" : `${pages.length} pages`;
}

/**
 * The number of the next page that a tool can show, after the one with this number; `undefined` if there is none. The first
 * slice of a binary part stands for all of it, because a tool returns none of them.
 */
export function nextShown(pages: readonly Page[], number: number): number | undefined {
  const isShown = (page: Page) => page.some((piece) => "text" in piece || (piece.slice?.number ?? 1) === 1);
  const index = pages.findIndex((page, index) => index >= number && isShown(page));
  return index < 0 ? undefined : index + 1;
}

function sliced(piece: Piece, most: number): readonly Piece[] {
  const slices = "text" in piece ? slicesOf(piece.text, most - AROUND_BYTES) : blobsOf(piece.blob);
  if (slices.length === 1) return [piece];
  return slices.map((slice, index) => {
    const { part, mimeType } = piece;
    const base = { part, mimeType, slice: { number: index + 1, of: slices.length } };
    return "text" in piece ? { ...base, text: slice } : { ...base, blob: slice };
  });
}

/** Base64 in pieces that stand for whole bytes each, and fit into one message each. */
function blobsOf(data: string): readonly string[] {
  const most = MAX_PAYLOAD_BYTES - MAX_PAYLOAD_BYTES % 4 - AROUND_PART_BYTES;
  const blobs = [];
  for (let from = 0; from < data.length || from === 0; from += most) blobs.push(data.slice(from, from + most));
  return blobs;
}

function bytesOf(piece: Piece): number {
  return AROUND_BYTES + ("blob" in piece ? piece.blob.length : byteLength(JSON.stringify(piece.text)));
}

/** How many bytes stand in this base64. */
export function bytesIn(data: string): number {
  return data.length * 3 / 4 - (data.endsWith("==") ? 2 : data.endsWith("=") ? 1 : 0);
}
