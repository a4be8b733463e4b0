/**
 * From the address to the view: `#/tasks?status=FAILED` and the like.
 *
 * @module
 */
import { h } from "./dom.js";
import { drawOverview } from "./overview.js";
import { drawSchedules } from "./schedules.js";
import { drawTask } from "./task.js";
import { drawTasks } from "./tasks.js";
import { drawWorkers } from "./workers.js";

/** @import { Line } from "../wire.ts" */

/**
 * A view: what it is called, what it asks of the server, and how it is drawn from what the server sent last.
 *
 * @typedef {{
 *   readonly title: string,
 *   readonly section: string,
 *   readonly query: URLSearchParams,
 *   readonly draw: (line: Line | undefined) => readonly Node[],
 * }} View
 */

/**
 * @param {string} hash
 * @returns {View}
 */
export function viewOf(hash) {
  const [path = "", search = ""] = hash.replace(/^#\//, "").split("?");
  const [section = "", name = ""] = path.split("/");
  const query = new URLSearchParams(search);
  switch (section) {
    case "tasks":
      return name === ""
        ? view("tasks", "Tasks", "tasks", query, (line) => drawTasks(query, line))
        : view("tasks", "Task", "task", new URLSearchParams({ id: name }), (line) => drawTask(name, line));
    case "workers":
      return view("workers", "Workers", "workers", query, drawWorkers);
    case "schedules":
      return view("schedules", "Schedules", "schedules", query, drawSchedules);
    default:
      return view("overview", "Overview", "overview", query, drawOverview);
  }
}

/**
 * @template {Line["view"]} Name
 * @param {string} section
 * @param {string} title
 * @param {Name} name
 * @param {URLSearchParams} own
 * @param {(line: Extract<Line, { readonly view: Name }> | undefined) => readonly Node[]} draw
 * @returns {View}
 */
function view(section, title, name, own, draw) {
  const query = new URLSearchParams(own);
  query.set("view", name);
  /** @type {(line: Line) => line is Extract<Line, { readonly view: Name }>} */
  const isOwn = (/** @type {Line} */ line) => line.view === name;
  return { section, title, query, draw: (line) => draw(line && isOwn(line) ? line : undefined) };
}

/**
 * @param {string} message
 * @returns {readonly Node[]}
 */
export function notice(message) {
  return [h("h1", {}, "The tasks cannot be read now"), h("p", { role: "alert" }, message), h("p", {}, "Trying again…")];
}

/** @returns {readonly Node[]} */
export function refused() {
  return [
    h("h1", {}, "No access"),
    h(
      "p",
      { role: "alert" },
      "Open the page at the URL that the command printed. It has a new one each time that it starts.",
    ),
  ];
}
