/**
 * The result of a task as a tool returns it.
 *
 * @module
 */
import { JobFault } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { DEFAULT_INLINE_BYTES, type RegisteredJob } from "../../registry.ts";
import type { Json, Outcome, TaskInfo } from "../../task.ts";
import { cutToFit, fits } from "../../text.ts";
import { resourceUri } from "../resources/uris.ts";
import type { ResultForm, ToolResult } from "../surface.ts";
import { beginningOf } from "./beginning.ts";
import { blocksOf, textBlock } from "./content_blocks.ts";
import { readableBytes } from "./pages.ts";

/**
 * How the results of a job are sent. `pageCall`: what a model calls for a page of one, such as `task_status`, or
 * `report with action "check"`.
 */
export function resultForm(
  { inlineBytes, job }: Pick<RegisteredJob, "inlineBytes" | "job">,
  pageCall?: string,
): ResultForm {
  return { inlineBytes, typed: job.outputSchema !== undefined, pageCall };
}

/**
 * The result of a tool whose task has ended: the only place where an outcome becomes a `CallToolResult`. Throws `JobFault`
 * for a fault. If the result is too large for the form, it has only the beginning, and says how to read the rest: by a tool, or
 * as a resource, to which it then has a link. With `typed`, its data are a handle then, with a token, the status and how to
 * read the pages, unless only the content is too large.
 */
export function callResult(task: TaskInfo, outcome: Outcome, form: ResultForm = {}): ToolResult {
  const { inlineBytes = DEFAULT_INLINE_BYTES, typed = false } = form;
  const uri = resourceUri(task);
  const _meta = { resourceUri: uri };
  const readable = readableBytes(inlineBytes);
  if (outcome.kind === "fault") throw new JobFault(cutToFit(outcome.message, readable), outcome.code);
  if (outcome.kind === "tool_error") {
    // Many hosts drop `isError`, so the model reads nothing but the text.
    const text = task.status === "CANCELLED" ? outcome.message : `Failed: ${outcome.message}`;
    return { content: [textBlock(cutToFit(text, readable))], isError: true, _meta };
  }
  const { value, content } = outcome;
  const data = isObject(value) && { structuredContent: value };
  const whole = { content: blocksOf(outcome, uri), ...data, _meta };
  const cut = (hasValue: boolean): ToolResult => {
    const { blocks, handle, link } = beginningOf(outcome, task, uri, { ...form, inlineBytes, hasValue, inText: false });
    const sent = hasValue ? data : typed && { structuredContent: handle };
    return { content: [...blocks, ...link], ...sent, _meta };
  };
  return inlineAnswer(whole, cut, inlineBytes, data && content !== undefined ? value : null);
}

/**
 * The first of these answers that has room: `whole`; all of `value`, unless that is `null`, with the beginning of the content;
 * or the beginning alone. `cut` makes the last two.
 */
export function inlineAnswer(
  whole: ToolResult,
  cut: (hasValue: boolean) => ToolResult,
  inlineBytes: number,
  value: Json,
): ToolResult {
  if (fitsInline(whole, inlineBytes)) return whole;
  const withValue = value !== null && fits(value, readableBytes(inlineBytes)) ? cut(true) : undefined;
  return withValue && fitsInline(withValue, inlineBytes) ? withValue : cut(false);
}

/**
 * Whether an answer has at most `inlineBytes`, and neither its texts nor its data are longer than hosts let pass: a model reads
 * one of the two, and some hosts keep nothing of what is longer. They do not cut pictures.
 */
function fitsInline(answer: ToolResult, inlineBytes: number): boolean {
  const { content, structuredContent = null } = answer;
  const readable = readableBytes(inlineBytes);
  const texts = content.filter(({ type }) => type === "text");
  return fits(answer, inlineBytes) && [texts, structuredContent].every((read) => fits(read, readable));
}
