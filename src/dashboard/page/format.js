/**
 * Times, numbers and names as people read them.
 *
 * @module
 */
import { h } from "./dom.js";

/** @import { TaskInfo, TaskStatus } from "../../task.ts" */

const NUMBERS = new Intl.NumberFormat("en");

/** The last time that a date can say, in ms since the epoch. */
const LAST_DATE = 8_640_000_000_000_000;

/** How far the server's clock is ahead of this one, in ms. */
let ahead = 0;

/**
 * Sets this page's clock by the server's.
 *
 * @param {number} now
 */
export function setClock(now) {
  ahead = now - Date.now();
}

/** The time by the server's clock, in ms since the epoch. */
export function now() {
  return Date.now() + ahead;
}

/** @param {number} count */
export function number(count) {
  return NUMBERS.format(count);
}

/**
 * A span of time, to two digits or so.
 *
 * @param {number} ms
 */
export function duration(ms) {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  const s = ms / 1_000;
  if (s < 10) return `${s.toFixed(1)} s`;
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3_600) return `${Math.floor(s / 60)} min ${pad(Math.floor(s % 60))} s`;
  if (s < 86_400) return `${Math.floor(s / 3_600)} h ${pad(Math.floor(s / 60 % 60))} min`;
  return `${Math.floor(s / 86_400)} d ${Math.floor(s / 3_600 % 24)} h`;
}

/** @param {number} n */
function pad(n) {
  return String(n).padStart(2, "0");
}

/** @param {number} at */
export function timeOfDay(at) {
  const date = new Date(at);
  // By hand: the ways of a locale take long, and each row of a table has times.
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(pad).join(":");
  return date.toDateString() === new Date(now()).toDateString() ? time : `${dayOf(date)} ${time}`;
}

/**
 * The same to the millisecond, for what happens in quick succession.
 *
 * @param {number} at
 */
export function exactTime(at) {
  return `${timeOfDay(at)}.${String(at % 1_000).padStart(3, "0")}`;
}

/** @param {Date} date */
function dayOf(date) {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

/**
 * How long ago something was, or how soon it will be.
 *
 * @param {number} at
 */
export function ago(at) {
  const passed = now() - at;
  const date = Math.min(at, LAST_DATE);
  const text = Math.abs(passed) < 1_000 ? "now" : passed > 0 ? `${roughly(passed)} ago` : `in ${roughly(-passed)}`;
  return h("time", { datetime: new Date(date).toISOString(), title: timeOfDay(date) }, text);
}

/** @param {number} ms */
export function roughly(ms) {
  const s = Math.round(ms / 1_000);
  if (s < 60) return `${s} s`;
  if (s < 3_600) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${Math.round(s / 3_600)} h`;
  return `${Math.round(s / 86_400)} days`;
}

/** @type {{ readonly [status in TaskStatus]: string }} */
const WORDS = {
  PENDING: "Pending",
  RUNNING: "Running",
  RETRYING: "Retrying",
  INPUT_REQUIRED: "Input required",
  COMPLETED: "Completed",
  FAILED: "Failed",
  CANCELLED: "Cancelled",
};

/** All states, with their words. */
export const STATUSES = Object.entries(WORDS);

/**
 * A state in words, with a mark of its colour.
 *
 * @param {TaskInfo} task
 */
export function badge(task) {
  return h("span", { class: `badge ${task.status.toLowerCase()}` }, wordsOf(task));
}

/** @param {TaskInfo} task */
export function wordsOf(task) {
  if ("stopRequested" in task && task.stopRequested) return "Stopping";
  return WORDS[task.status];
}

/**
 * How far a task is, as its job said last.
 *
 * @param {TaskInfo} task
 */
export function progressOf(task) {
  if (task.progress === undefined || "finishedAt" in task) return undefined;
  const percent = task.progress < 1 ? Math.min(99, Math.round(task.progress * 100)) : 100;
  return h("progress", { max: 100, value: percent, "aria-label": `Progress of ${task.job}` }, `${percent} %`);
}
