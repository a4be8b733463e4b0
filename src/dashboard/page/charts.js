/**
 * Small charts of the last hour.
 *
 * @module
 */
import { h, svg } from "./dom.js";
import { now, number } from "./format.js";

const WIDTH = 240;
const HEIGHT = 56;
const HOUR_MS = 3_600_000;

/**
 * One figure as it is now, with its course.
 *
 * @param {{
 *   readonly title: string,
 *   readonly value: number,
 *   readonly unit?: string,
 *   readonly kind: string,
 *   readonly points: readonly { readonly at: number, readonly value: number }[],
 * }} chart
 */
export function chart({ title, value, unit = "", kind, points }) {
  const most = Math.max(value, ...points.map((point) => point.value));
  const scale = Math.max(1, most);
  const end = now();
  const x = (/** @type {number} */ at) => round(WIDTH * (1 - (end - at) / HOUR_MS));
  const y = (/** @type {number} */ of) => round(HEIGHT - 2 - (HEIGHT - 6) * of / scale);
  const line = points.map((point, index) => `${index === 0 ? "M" : "L"}${x(point.at)} ${y(point.value)}`).join("");
  const [first, last] = [points[0], points.at(-1)];
  const area = first && last ? `${line}L${x(last.at)} ${HEIGHT}L${x(first.at)} ${HEIGHT}Z` : "";
  const said = `${title}: ${figure(value)}${unit} now, at most ${figure(most)}${unit} in the last hour`;
  return h(
    "figure",
    { class: `chart ${kind}` },
    h("figcaption", {}, title),
    h("p", { class: "figure" }, figure(value), unit && h("span", { class: "unit" }, unit)),
    svg(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": said },
      svg("path", { d: area, class: "area" }),
      svg("path", { d: line, class: "line", "vector-effect": "non-scaling-stroke" }),
    ),
    h(
      "p",
      { class: "axis", "aria-hidden": "true" },
      h("span", {}, "1 h ago"),
      h("span", {}, `max ${figure(most)}`),
      h("span", {}, "now"),
    ),
  );
}

/** @param {number} value */
function figure(value) {
  return value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : number(Math.round(value));
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}
