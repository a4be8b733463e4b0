/**
 * The schedules.
 *
 * @module
 */
import { button } from "./actions.js";
import { facts, h } from "./dom.js";
import { ago, duration } from "./format.js";

/** @import { ScheduleInfo } from "../../contract/operator.ts" */
/** @import { SchedulesShown } from "../wire.ts" */

/**
 * @param {SchedulesShown | undefined} shown
 * @returns {readonly Node[]}
 */
export function drawSchedules(shown) {
  if (shown === undefined) return [h("h1", {}, "Schedules"), h("p", { class: "quiet" }, "Loading…")];
  return [
    h("h1", {}, "Schedules"),
    shown.schedules.length === 0
      ? h("p", { class: "empty" }, "There is no schedule.")
      : h("ul", { class: "cards" }, shown.schedules.map(card)),
  ];
}

/** @param {ScheduleInfo} schedule */
function card({ name, job, owner, input, times, paused, nextAt, last }) {
  return h(
    "li",
    { "data-key": name },
    h("h2", {}, name, paused && h("span", { class: "badge paused" }, "Paused")),
    facts([
      ["Job", job],
      ["Owner", owner],
      ["Times", "cron" in times ? `${times.cron} (${times.timeZone})` : `every ${duration(times.every)}`],
      ["Next", nextAt === undefined ? "–" : ago(nextAt)],
      ["Last", last === undefined ? "–" : h("a", { href: `#/tasks/${last.task}` }, ago(last.dueAt))],
      ["Input", h("code", {}, JSON.stringify(input))],
    ]),
    h(
      "p",
      { class: "buttons" },
      paused
        ? button("Resume", { kind: "schedules", name, verb: "resume", what: name })
        : button("Pause", { kind: "schedules", name, verb: "pause", what: name }),
      button("Remove", {
        kind: "schedules",
        name,
        verb: "remove",
        what: name,
        style: "danger",
        question: `Remove the schedule ${name}? A server that declares it brings it back when it starts.`,
      }),
    ),
  );
}
