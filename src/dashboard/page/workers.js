/**
 * The workers.
 *
 * @module
 */
import { facts, h } from "./dom.js";
import { ago } from "./format.js";

/** @import { WorkerInfo } from "../../contract/operator.ts" */
/** @import { WorkersShown } from "../wire.ts" */

/** How many of the tasks that a worker runs are named. */
const MAX_SHOWN = 10;

/**
 * @param {WorkersShown | undefined} shown
 * @returns {readonly Node[]}
 */
export function drawWorkers(shown) {
  if (shown === undefined) return [h("h1", {}, "Workers"), h("p", { class: "quiet" }, "Loading…")];
  return [
    h("h1", {}, "Workers"),
    shown.workers.length === 0
      ? h(
        "p",
        { class: "empty" },
        "No worker of mcp-jobs is alive: tasks wait, unless their BullMQ queue has other workers.",
      )
      : h("ul", { class: "cards" }, shown.workers.map(card)),
  ];
}

/** @param {WorkerInfo} worker */
function card({ name, host, pid, jobs, running, since }) {
  return h(
    "li",
    { "data-key": name },
    h("h2", {}, `${host}, process ${pid}`),
    h("p", { class: "id" }, name),
    facts([
      ["Started", ago(since)],
      ["Jobs", jobs.join(", ")],
      [
        `Running (${running.length})`,
        running.length === 0 && "nothing",
        running.slice(0, MAX_SHOWN).map((id) => h("a", { class: "id", href: `#/tasks/${id}` }, id)),
        running.length > MAX_SHOWN && `and ${running.length - MAX_SHOWN} more`,
      ],
    ]),
  );
}
