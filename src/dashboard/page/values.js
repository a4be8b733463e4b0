/**
 * The input and the result of the task that is open. They are read once, as neither changes.
 *
 * @module
 */
import { h, once } from "./dom.js";
import { readValue } from "./server.js";

/** @import { ContentPart, Json, Outcome, TaskInfo } from "../../task.ts" */
/** @import { ValueRead } from "../wire.ts" */

/** What is shown of a long text, in UTF-16 units: far longer ones make a browser slow. */
const LONGEST = 100_000;

/** How long after a failed reading the value is read again, in ms. */
const AGAIN_MS = 2_000;

/**
 * A value as it was read last, if it was, and when it may be read again.
 *
 * @typedef {{ value?: ValueRead | Error, readAgainAt: number }} Known
 */

/** Those of the task that is open. @type {Map<string, Known>} */
let known = new Map();

/** @param {TaskInfo} task */
export function drawInput(task) {
  const read = valueOf(task.id, "input");
  if (read === undefined) return h("p", { class: "quiet" }, "Loading…");
  if (read instanceof Error) return h("p", { role: "alert" }, read.message);
  return once(`input ${task.id}`, () => [json("Input", read.input ?? null)]);
}

/** @param {TaskInfo} task */
export function drawOutcome(task) {
  if (!("finishedAt" in task)) return h("p", { class: "quiet" }, "The task has not finished.");
  const read = valueOf(task.id, "outcome");
  if (read === undefined) return h("p", { class: "quiet" }, "Loading…");
  if (read instanceof Error) return h("p", { role: "alert" }, read.message);
  const { outcome } = read;
  if (outcome === undefined) return h("p", { class: "quiet" }, "It is not stored any more.");
  return once(`outcome ${task.id}`, () => [drawOne(outcome)]);
}

/**
 * What is known of a value; reads it at first, and after a failure.
 *
 * @param {string} id
 * @param {"input" | "outcome"} what
 */
function valueOf(id, what) {
  const key = `${what} ${id}`;
  const last = known.get(key);
  if (last && Date.now() < last.readAgainAt) return last.value;
  // Those of other tasks are not needed any more.
  known = new Map([...known].filter(([other]) => other.endsWith(id)));
  /** @type {Known} */
  const next = { value: last?.value, readAgainAt: Infinity };
  known.set(key, next);
  readValue(id, what).catch((error) => error instanceof Error ? error : new Error(String(error))).then((value) => {
    next.value = value;
    if (value instanceof Error) next.readAgainAt = Date.now() + AGAIN_MS;
    dispatchEvent(new Event("redraw"));
  });
  return next.value;
}

/** @param {Outcome} outcome */
function drawOne(outcome) {
  if (outcome.kind !== "value") {
    const what = outcome.kind === "tool_error"
      ? "The job failed with an error for the model"
      : "The task ended with a fault";
    return h("div", {}, h("p", { class: "quiet" }, `${what}:`), pre("Error", outcome.message));
  }
  const parts = outcome.content ?? [];
  if (parts.length === 0) return json("Result", outcome.value);
  return h(
    "div",
    { class: "parts" },
    parts.map(part),
    outcome.value !== null && [h("h3", {}, "As data"), json("Result as data", outcome.value)],
  );
}

/** @param {ContentPart} part */
function part(part) {
  switch (part.type) {
    case "text":
      return pre("Text", part.text);
    case "image":
      return h("img", { src: dataUrl(part), alt: `Image of the result, ${part.mimeType}` });
    case "audio":
      return h("audio", { controls: true, src: dataUrl(part), "aria-label": `Sound of the result, ${part.mimeType}` });
    case "file":
      return h(
        "p",
        {},
        h("a", { href: dataUrl(part), download: part.name }, h("bdi", {}, part.name)),
        ` (${part.mimeType})`,
      );
    case "resource_link":
      return h("p", {}, h("bdi", {}, part.title ?? part.name), ": ", h("code", {}, part.uri));
  }
}

/** @param {{ readonly data: string, readonly mimeType: string }} part */
function dataUrl({ data, mimeType }) {
  return `data:${mimeType};base64,${data}`;
}

/**
 * @param {string} label
 * @param {Json} value
 */
function json(label, value) {
  return pre(label, JSON.stringify(value, null, 2));
}

/**
 * @param {string} label
 * @param {string} text
 */
function pre(label, text) {
  // With a tabindex, so that the keyboard can scroll it.
  const shown = h("pre", { tabindex: 0, role: "group", "aria-label": label }, text.slice(0, LONGEST));
  if (text.length <= LONGEST) return shown;
  return h("div", {}, shown, h("p", { class: "quiet" }, `The first ${LONGEST} of ${text.length} characters.`));
}
