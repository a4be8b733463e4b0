/**
 * The overview: figures with their charts, and the jobs.
 *
 * @module
 */
import { button } from "./actions.js";
import { chart } from "./charts.js";
import { h } from "./dom.js";
import { ago, number, timeOfDay } from "./format.js";

/** @import { JobCounts } from "../../contract/operator.ts" */
/** @import { TaskStatus } from "../../task.ts" */
/** @import { OverviewShown, Sample } from "../wire.ts" */

/** What is counted in each sample. @typedef {"created" | "completed" | "failed"} Counted */

const MINUTE_MS = 60_000;

/**
 * @param {OverviewShown | undefined} shown
 * @returns {readonly Node[]}
 */
export function drawOverview(shown) {
  if (shown === undefined) return [h("h1", {}, "Overview"), h("p", { class: "quiet" }, "Loading…")];
  return [
    h("h1", {}, "Overview"),
    h("section", { class: "charts", "aria-label": "The last hour" }, charts(shown)),
    h(
      "p",
      { class: "quiet" },
      `The charts begin when this page's server started, at ${timeOfDay(shown.since)}, and are kept in its memory.`,
    ),
    h("h2", { id: "jobs" }, "Jobs"),
    shown.jobs.length === 0
      ? h("p", { class: "empty" }, "There are no tasks yet.")
      : h("div", { class: "wide", role: "region", "aria-labelledby": "jobs", tabindex: 0 }, jobTable(shown)),
    h(
      "p",
      { class: "quiet" },
      shown.workers === 1 ? "1 worker is alive." : `${number(shown.workers)} workers are alive.`,
    ),
  ];
}

/** @param {OverviewShown} shown */
function charts({ jobs, samples }) {
  const count = (/** @type {(job: JobCounts) => number} */ of) => jobs.reduce((total, job) => total + of(job), 0);
  const course = (/** @type {"waiting" | "running"} */ of) =>
    samples.map((sample) => ({ at: sample.at, value: sample[of] }));
  const rates = (/** @type {Counted} */ of, /** @type {string} */ title) => {
    const { now, points } = perMinute(samples, of);
    return chart({ title, kind: of, value: now, unit: " / min", points });
  };
  return [
    chart({
      title: "Waiting",
      kind: "waiting",
      value: count(({ counts }) => counts.PENDING + counts.RETRYING),
      points: course("waiting"),
    }),
    chart({
      title: "Running",
      kind: "running",
      value: count(({ counts }) => counts.RUNNING),
      points: course("running"),
    }),
    rates("created", "Created"),
    rates("completed", "Completed"),
    rates("failed", "Failed"),
  ];
}

/**
 * How many a minute there were, in each sample and over the last minute of them.
 *
 * @param {readonly Sample[]} samples
 * @param {Counted} of
 */
export function perMinute(samples, of) {
  const rate = (/** @type {readonly Sample[]} */ some) => {
    const ms = some.reduce((total, sample) => total + sample.ms, 0);
    return ms === 0 ? 0 : some.reduce((total, sample) => total + sample[of], 0) * MINUTE_MS / ms;
  };
  const begin = (samples.at(-1)?.at ?? 0) - MINUTE_MS;
  return {
    now: rate(samples.filter(({ at }) => at > begin)),
    points: samples.map((sample) => ({ at: sample.at, value: rate([sample]) })),
  };
}

/** @type {readonly (readonly [TaskStatus, string, string])[]} */
const COLUMNS = [
  ["PENDING", "Pending", ""],
  ["RUNNING", "Running", ""],
  ["RETRYING", "Retrying", "roomy"],
  ["INPUT_REQUIRED", "Input required", "roomy"],
  ["COMPLETED", "Completed", "roomy"],
  ["FAILED", "Failed", ""],
  ["CANCELLED", "Cancelled", "roomy"],
];

/** @param {OverviewShown} shown */
function jobTable({ jobs }) {
  return h(
    "table",
    {},
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        h("th", { scope: "col" }, "Job"),
        COLUMNS.map(([, title, style]) => h("th", { scope: "col", class: `count ${style}` }, title)),
        h("th", { scope: "col", class: "roomy" }, "Oldest waiting"),
        h("th", { scope: "col" }, h("span", { class: "unseen" }, "Pause or resume")),
      ),
    ),
    h("tbody", {}, jobs.map(jobRow)),
  );
}

/** @param {JobCounts} job */
function jobRow({ job, counts, oldestWaiting, paused, hasWorker }) {
  const link = (/** @type {Record<string, string>} */ query) => `#/tasks?${new URLSearchParams(query)}`;
  return h(
    "tr",
    { "data-key": job },
    h(
      "th",
      { scope: "row" },
      h("a", { href: link({ job }) }, job),
      paused && h("span", { class: "badge paused" }, "Paused"),
      hasWorker === false && h("span", { class: "badge no-worker" }, "No worker"),
    ),
    COLUMNS.map(([status, title, style]) =>
      h(
        "td",
        { class: `count ${style}` },
        counts[status] === 0 ? h("span", { class: "quiet" }, "0") : h("a", {
          href: link({ job, status }),
          "aria-label": `${number(counts[status])} ${title} of ${job}`,
        }, number(counts[status])),
      )
    ),
    h("td", { class: "roomy" }, oldestWaiting === undefined ? h("span", { class: "quiet" }, "–") : ago(oldestWaiting)),
    h(
      "td",
      { class: "act" },
      paused
        ? button("Resume", { kind: "jobs", name: job, verb: "resume", what: job })
        : button("Pause", { kind: "jobs", name: job, verb: "pause", what: job }),
    ),
  );
}
