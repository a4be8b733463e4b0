/**
 * The tasks, with filters.
 *
 * @module
 */
import { h } from "./dom.js";
import { ago, badge, now, progressOf, STATUSES } from "./format.js";

/** @import { TaskInfo } from "../../task.ts" */
/** @import { TasksShown } from "../wire.ts" */

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** How long ago, in ms, by the words for it. */
const SINCE = [["", "Any time"], ["900000", "15 minutes"], ["3600000", "1 hour"], ["86400000", "1 day"], [
  "604800000",
  "7 days",
]];

/**
 * @param {URLSearchParams} query
 * @param {TasksShown | undefined} shown
 * @returns {readonly Node[]}
 */
export function drawTasks(query, shown) {
  return [
    h("h1", {}, "Tasks"),
    filters(query, shown?.jobs ?? []),
    shown === undefined
      ? h("p", { class: "quiet", "data-key": "loading" }, "Loading…")
      : shown.tasks.length === 0
      ? h("p", { class: "empty", "data-key": "empty" }, noneOf(shown))
      : h("div", { class: "wide", "data-key": "list" }, table(shown.tasks)),
    pages(query, shown),
  ];
}

/**
 * A page is searched only so far: with a filter that few of many tasks fit, they may all be on the next one.
 *
 * @param {TasksShown} shown
 */
function noneOf({ nextCursor }) {
  return nextCursor === undefined ? "No task fits." : "None of the newest tasks fits, but older ones may.";
}

/**
 * @param {URLSearchParams} query
 * @param {readonly string[]} jobs
 */
function filters(query, jobs) {
  const job = query.get("job") ?? "";
  const names = job === "" || jobs.includes(job) ? jobs : [job, ...jobs];
  return h(
    "form",
    { class: "filters", role: "search", "data-key": "filters", onsubmit: submit, onchange: apply },
    h(
      "label",
      { class: "grow" },
      "Task id or owner",
      h("input", {
        name: "find",
        type: "search",
        value: query.get("owner") ?? "",
        autocomplete: "off",
        spellcheck: "false",
      }),
    ),
    select("Job", "job", job, [["", "All jobs"], ...names.map((name) => [name, name])]),
    select("Status", "status", query.get("status") ?? "", [["", "All states"], ...STATUSES]),
    select("Created within", "within", query.get("within") ?? "", SINCE),
    h("button", { type: "submit" }, "Search"),
  );
}

/**
 * @param {string} label
 * @param {string} name
 * @param {string} chosen
 * @param {readonly (readonly string[])[]} options
 */
function select(label, name, chosen, options) {
  return h(
    "label",
    {},
    label,
    h(
      "select",
      { name },
      options.map(([value = "", text]) => h("option", { value, selected: value === chosen }, text)),
    ),
  );
}

/** @param {Event} event */
function submit(event) {
  event.preventDefault();
  apply(event);
}

/** @param {Event} event */
function apply(event) {
  const form = /** @type {HTMLFormElement} */ (event.currentTarget);
  const data = new FormData(form);
  const text = (/** @type {string} */ name) => String(data.get(name) ?? "").trim();
  const find = text("find");
  if (ID.test(find)) return void (location.hash = `#/tasks/${find}`);
  const query = new URLSearchParams();
  const within = text("within");
  for (const [name, value] of [["owner", find], ["job", text("job")], ["status", text("status")], ["within", within]]) {
    if (name && value) query.set(name, value);
  }
  // As of now, and not of each time that the page is read: else tasks would leave a page whose address stays.
  if (within) query.set("since", String(now() - Number(within)));
  location.hash = `#/tasks${query.size > 0 ? `?${query}` : ""}`;
}

/** @param {readonly TaskInfo[]} tasks */
function table(tasks) {
  return h(
    "table",
    { class: "tasks" },
    h("caption", { class: "unseen" }, "Tasks, newest first"),
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Status"),
        h("th", { scope: "col" }, "Task"),
        h("th", { scope: "col", class: "roomy" }, "Owner"),
        h("th", { scope: "col", class: "roomy" }, "Says"),
        h("th", { scope: "col", class: "roomy count" }, "Attempt"),
        h("th", { scope: "col", class: "when" }, "Created"),
      ),
    ),
    h("tbody", {}, tasks.map(row)),
  );
}

/** @param {TaskInfo} task */
function row(task) {
  const asked = "questions" in task && task.questions?.map(({ message }) => message).join("; ");
  const says = asked ? `asks: ${asked}` : task.message ?? "";
  return h(
    "tr",
    { "data-key": task.id },
    h("td", {}, badge(task), progressOf(task)),
    h(
      "th",
      { scope: "row" },
      h("a", { href: `#/tasks/${task.id}` }, task.job),
      h("span", { class: "id" }, h("span", { class: "start" }, task.id.slice(0, 24)), task.id.slice(24)),
    ),
    h("td", { class: "roomy owner" }, task.owner),
    h("td", { class: "roomy says", title: says }, says),
    h("td", { class: "roomy count" }, task.attempt),
    h("td", { class: "when" }, ago(task.createdAt)),
  );
}

/**
 * @param {URLSearchParams} query
 * @param {TasksShown | undefined} shown
 */
function pages(query, shown) {
  const first = new URLSearchParams(query);
  first.delete("cursor");
  const next = new URLSearchParams(query);
  if (shown?.nextCursor !== undefined) next.set("cursor", shown.nextCursor);
  return h(
    "nav",
    { class: "pages", "aria-label": "Pages", "data-key": "pages" },
    query.has("cursor") && h("a", { href: `#/tasks?${first}` }, "Newest"),
    shown?.nextCursor !== undefined && h("a", { href: `#/tasks?${next}` }, "Older"),
  );
}
