/**
 * One task: how it stands, its timeline, input and result.
 *
 * @module
 */
import { button } from "./actions.js";
import { facts, h } from "./dom.js";
import { ago, badge, duration, exactTime, now, progressOf, timeOfDay, wordsOf } from "./format.js";
import { drawInput, drawOutcome } from "./values.js";

/** @import { LogLine } from "../../contract/log.ts" */
/** @import { TaskInfo } from "../../task.ts" */
/** @import { TaskShown, TimelineEntry } from "../wire.ts" */

/**
 * @param {string} id
 * @param {TaskShown | undefined} shown
 * @returns {readonly Node[]}
 */
export function drawTask(id, shown) {
  if (shown === undefined) return [h("h1", {}, "Task"), h("p", { class: "quiet" }, "Loading…")];
  const { task, timeline, log } = shown;
  if (task === undefined) {
    return [h("h1", {}, "Task"), h("p", { class: "empty" }, `There is no task ${id}, or no longer.`)];
  }
  return [
    h("h1", {}, task.job, " ", badge(task)),
    h("p", { class: "id" }, task.id),
    h("p", { class: "unseen", role: "status" }, `Status: ${wordsOf(task).toLowerCase()}`),
    buttons(task),
    h("p", { class: "says" }, task.message ?? "", progressOf(task)),
    questions(task),
    factsOf(task),
    h(
      "div",
      { class: "halves" },
      h(
        "section",
        { "aria-labelledby": "timeline" },
        h("h2", { id: "timeline" }, "Timeline"),
        h("ol", { class: "timeline" }, timeline.map(entry)),
      ),
      h("section", { "aria-labelledby": "input" }, h("h2", { id: "input" }, "Input"), drawInput(task)),
    ),
    h("section", { "aria-labelledby": "log" }, h("h2", { id: "log" }, "Log"), logLines(log)),
    h("section", { "aria-labelledby": "result" }, h("h2", { id: "result" }, "Result"), drawOutcome(task)),
  ];
}

/**
 * Both buttons are always there: if one took the other's place when the task ends, a click in that moment would do the other.
 *
 * @param {TaskInfo} task
 */
function buttons(task) {
  const { id, job } = task;
  const isFinished = "finishedAt" in task;
  return h(
    "p",
    { class: "buttons" },
    button("Cancel", {
      kind: "tasks",
      name: id,
      verb: "cancel",
      style: "danger",
      question: `Cancel this task of ${job}? It will not run again.`,
      idle: isFinished,
    }),
    button("Retry", { kind: "tasks", name: id, verb: "retry", style: "strong", idle: !isFinished }),
  );
}

/** @param {TaskInfo} task */
function questions(task) {
  const open = "questions" in task ? task.questions ?? [] : [];
  if (open.length === 0) return h("div", { hidden: true });
  return h(
    "div",
    { class: "asks" },
    open.map(({ message, expiresAt }) =>
      h(
        "p",
        {},
        "Waits for an answer: ",
        h("strong", {}, h("bdi", {}, message)),
        expiresAt !== undefined && [" It expires ", ago(expiresAt), "."],
      )
    ),
  );
}

/** @param {TaskInfo} task */
function factsOf(task) {
  const end = "finishedAt" in task ? task.finishedAt : undefined;
  return facts([
    ["Owner", task.owner],
    ["Attempt", String(task.attempt)],
    ["Created", ago(task.createdAt)],
    end === undefined ? ["Age", duration(now() - task.createdAt)] : ["Took", duration(end - task.createdAt)],
    "dueAt" in task && task.dueAt !== undefined && task.status !== "INPUT_REQUIRED"
      ? ["Due", ago(task.dueAt)]
      : undefined,
    end === undefined ? undefined : ["Kept until", ago(end + task.resultTtl)],
    task.retryOf === undefined
      ? undefined
      : ["Repeats", h("a", { class: "id", href: `#/tasks/${task.retryOf}` }, task.retryOf)],
  ], { class: "facts" });
}

/** @param {readonly LogLine[]} log */
function logLines(log) {
  if (log.length === 0) return h("p", { class: "quiet" }, "The task has logged nothing.");
  return h(
    "ol",
    // As a log, new lines of it are read out, and the keyboard can scroll it.
    { class: "log", role: "log", "aria-labelledby": "log", tabindex: 0 },
    log.map(({ number, at, level, text }) =>
      h(
        "li",
        { "data-key": String(number), class: level },
        h("time", { datetime: new Date(at).toISOString() }, timeOfDay(at)),
        h("span", { class: "level" }, level),
        h("span", {}, text),
      )
    ),
  );
}

/** @param {TimelineEntry} entry */
function entry({ at, text }) {
  return h("li", {}, h("time", { datetime: new Date(at).toISOString() }, exactTime(at)), h("span", {}, text));
}
