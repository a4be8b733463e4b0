/**
 * What a job returns for the model to see: texts, images, sounds, files and links.
 *
 * @module
 */
import { InvalidValue } from "../errors.ts";
import { isObject } from "../json.ts";
import type { ContentPart } from "../task.ts";
import { quote } from "../text.ts";

/** Marks what `content` returns. The symbol is global, because a job may import another copy of this package. */
const MARK = Symbol.for("@mcp-jobs/mcp-jobs/content");

/**
 * A result that consists of parts for the model, which {@linkcode content} makes. `Data` is its structured content.
 *
 * @example
 * ```ts
 * import { type Content, content, text } from "@mcp-jobs/mcp-jobs";
 * const counted = (rows: number): Content<{ rows: number }> =>
 *   content([text(`${rows} rows`)], { structuredContent: { rows } });
 * console.assert(counted(2).structuredContent.rows === 2);
 * ```
 */
export class Content<Data = undefined> {
  /** What the model sees. */
  readonly parts: readonly ContentPart[];
  /** The result as data. */
  readonly structuredContent: Data;

  /** Use {@linkcode content}. */
  constructor(parts: readonly ContentPart[], structuredContent: Data) {
    Object.defineProperty(this, MARK, { value: true });
    this.parts = parts;
    this.structuredContent = structuredContent;
  }

  /** Throws `InvalidValue`: it is a result, and not a part of one. */
  toJSON(): never {
    throw new InvalidValue("it has content(…) inside: a job has to return that itself");
  }
}

/** Whether a value was made by {@linkcode content}. */
export function isContent(value: unknown): value is Content<unknown> {
  return typeof value === "object" && value !== null && MARK in value;
}

/** The parts that were checked when they were made. */
const MADE = new WeakSet<ContentPart>();

/**
 * A result of a job with what the model sees: texts, images, sounds, files and links, in this order. `structuredContent` is
 * the result as data, an object: a job with an `output` schema must have it, and that schema validates it. Throws
 * `InvalidValue` if there are no parts, or one was not made by `text`, `image`, `audio`, `file` or `link`.
 *
 * @example
 * ```ts
 * import { content, defineJob, image, text } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * const drawChart = defineJob({
 *   name: "draw_chart",
 *   input: z.object({ title: z.string() }),
 *   run: async ({ title }) => {
 *     const png = await Deno.readFile("chart.png");
 *     return content([text(title), image(png, "image/png")], { structuredContent: { title, bytes: png.length } });
 *   },
 * });
 * ```
 */
export function content(parts: readonly ContentPart[]): Content;
/** The same with the result as data. */
export function content<Data extends object>(
  parts: readonly ContentPart[],
  options: { readonly structuredContent: Data },
): Content<Data>;
export function content(
  parts: readonly ContentPart[],
  options: { readonly structuredContent?: unknown } = {},
): Content<unknown> {
  const { structuredContent } = optionsOf(options, "content(…)", ["structuredContent"]);
  if (!Array.isArray(parts) || parts.length === 0) {
    throw new InvalidValue("content(…) takes a list of at least one part, such as [text(…), image(…)]");
  }
  const other = parts.findIndex((part) => !MADE.has(part));
  if (other >= 0) {
    const makers = "text, image, audio, file or link";
    throw new InvalidValue(`Part ${other + 1} of content(…) was not made by ${makers}`);
  }
  if (structuredContent !== undefined && !isObject(structuredContent)) {
    throw new InvalidValue("The structuredContent of content(…) must be an object");
  }
  return new Content([...parts], structuredContent);
}

/**
 * A text. Throws `InvalidValue` for anything else.
 *
 * @example
 * ```ts
 * import { content, text } from "@mcp-jobs/mcp-jobs";
 * const answer = content([text("Two rows differ."), text("See the table.")]);
 * console.assert(answer.parts.length === 2);
 * ```
 */
export function text(text: string): ContentPart {
  return made({ type: "text", text: textOf(text, "text(…)") });
}

/**
 * An image, such as `image(bytes, "image/png")`. Throws `InvalidValue` if `bytes` are not bytes, or `mimeType` is not that of
 * an image.
 *
 * @example
 * ```ts
 * import { content, image } from "@mcp-jobs/mcp-jobs";
 * export const drawn = (png: Uint8Array) => content([image(png, "image/png")]);
 * ```
 */
export function image(bytes: Uint8Array | ArrayBuffer, mimeType: string): ContentPart {
  return media("image", bytes, mimeType);
}

/**
 * A sound, such as `audio(bytes, "audio/wav")`. Throws `InvalidValue` if `bytes` are not bytes, or `mimeType` is not that of
 * a sound.
 *
 * @example
 * ```ts
 * import { audio, content } from "@mcp-jobs/mcp-jobs";
 * export const spoken = (wav: Uint8Array) => content([audio(wav, "audio/wav")]);
 * ```
 */
export function audio(bytes: Uint8Array | ArrayBuffer, mimeType: string): ContentPart {
  return media("audio", bytes, mimeType);
}

/**
 * A file, such as `file(bytes, { name: "report.pdf", mimeType: "application/pdf" })`. The name has at most 200 characters.
 * Throws `InvalidValue` for a longer one, for a wrong media type, and if `bytes` are not bytes.
 *
 * @example
 * ```ts
 * import { content, file, text } from "@mcp-jobs/mcp-jobs";
 * export const exported = (pdf: Uint8Array) =>
 *   content([text("The report of May"), file(pdf, { name: "may.pdf", mimeType: "application/pdf" })]);
 * ```
 */
export function file(
  bytes: Uint8Array | ArrayBuffer,
  options: { readonly name: string; readonly mimeType: string },
): ContentPart {
  const what = "file(…)";
  const { name, mimeType } = optionsOf(options, what, ["name", "mimeType"]);
  return made({
    type: "file",
    name: nameOf(name, `The name of ${what}`),
    mimeType: mediaTypeOf(mimeType, what),
    data: base64Of(bytes, what),
  });
}

/**
 * A link to a resource, of this server or elsewhere (MCP, `resource_link`). The default of `name` is the last part of the
 * URI. LangChain agents fail on a link, and clients before 2025-06-18 get none. The URI has at most 2,000 characters, `name`
 * and `title` 200, and `description` 1,000. Throws `InvalidValue` beyond that, and if `uri` is not a URI.
 *
 * @example
 * ```ts
 * import { content, link } from "@mcp-jobs/mcp-jobs";
 * const answer = content([link("https://reports.example.com/may", { title: "The report of May" })]);
 * console.assert(answer.parts[0]?.type === "resource_link");
 * ```
 */
export function link(
  uri: string,
  options: {
    readonly name?: string;
    readonly title?: string;
    readonly description?: string;
    readonly mimeType?: string;
  } = {},
): ContentPart {
  const what = "link(…)";
  const { name, title, description, mimeType } = optionsOf(options, what, LINK_OPTIONS);
  const url = typeof uri === "string" ? URL.parse(uri) : null;
  if (url === null) throw new InvalidValue(`${what} takes a URI with its scheme, not ${shown(uri)}`);
  const lastPart = url.pathname.split("/").findLast((part) => part !== "") ?? uri;
  return made({
    type: "resource_link",
    uri: atMost(LONGEST_URI, uri, `The URI of ${what}`),
    name: nameOf(name ?? lastPart.slice(0, LONGEST_NAME), `The name of ${what}`),
    ...(title !== undefined && { title: atMost(LONGEST_NAME, title, `The title of ${what}`) }),
    ...(description !== undefined && {
      description: atMost(LONGEST_DESCRIPTION, description, `The description of ${what}`),
    }),
    ...(mimeType !== undefined && { mimeType: mediaTypeOf(mimeType, what) }),
  });
}

const LINK_OPTIONS = ["name", "title", "description", "mimeType"];

function optionsOf<Options extends object>(options: Options, what: string, names: readonly string[]): Options {
  if (!isObject(options) || options instanceof Promise) {
    throw new InvalidValue(`The options of ${what} must be an object, not ${shown(options)}`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return options;
  throw new InvalidValue(`${what} has no option ${quote(unknown)}: it takes ${names.join(", ")}`);
}

function media(type: "image" | "audio", bytes: Uint8Array | ArrayBuffer, mimeType: string): ContentPart {
  const what = `${type}(…)`;
  const data = base64Of(bytes, what);
  if (data === "") throw new InvalidValue(`${what} has no bytes`);
  const given = mediaTypeOf(mimeType, what);
  if (given.toLowerCase().startsWith(`${type}/`)) return made({ type, data, mimeType: given });
  throw new InvalidValue(`${what} takes a media type ${type}/…, not ${quote(given)}; use file(…) for other bytes`);
}

function made(part: ContentPart): ContentPart {
  MADE.add(part);
  return part;
}

function base64Of(bytes: unknown, what: string): string {
  if (bytes instanceof Uint8Array) return bytes.toBase64();
  if (bytes instanceof ArrayBuffer) return new Uint8Array(bytes).toBase64();
  throw new InvalidValue(`${what} takes its bytes as a Uint8Array or an ArrayBuffer, not ${shown(bytes)}`);
}

/** RFC 6838, section 4.2, and parameters. */
const MEDIA_TYPE = /^[a-z0-9][\w!#$&^.+-]{0,126}\/[a-z0-9][\w!#$&^.+-]{0,126}( *;[\x20-\x7e]*)?$/i;

function mediaTypeOf(mimeType: unknown, what: string): string {
  const isOne = typeof mimeType === "string" && MEDIA_TYPE.test(mimeType);
  if (isOne) return atMost(LONGEST_NAME, mimeType, `The media type of ${what}`);
  throw new InvalidValue(`${what} takes a media type such as "image/png", not ${shown(mimeType)}`);
}

/** The longest texts around the bytes of a part, in UTF-16 units: they have to fit into a message with it. */
const LONGEST_NAME = 200;
const LONGEST_DESCRIPTION = 1_000;
const LONGEST_URI = 2_000;

function nameOf(name: unknown, what: string): string {
  return atMost(LONGEST_NAME, textOf(name, what, 1), what);
}

function atMost(most: number, text: unknown, what: string): string {
  const { length } = textOf(text, what);
  if (length <= most) return String(text);
  const [longest, given] = [most, length].map((number) => number.toLocaleString("en-US"));
  throw new InvalidValue(`${what} must have at most ${longest} characters, not ${given}`);
}

function textOf(text: unknown, what: string, least = 0): string {
  if (typeof text === "string" && text.length >= least) return text;
  throw new InvalidValue(`${what} must be a text${least > 0 ? " that is not empty" : ""}, not ${shown(text)}`);
}

function shown(value: unknown): string {
  if (typeof value === "string") return quote(value);
  return typeof value === "object" && value !== null ? `a ${value.constructor?.name ?? "object"}` : String(value);
}
