/**
 * The page: one view at a time, as the address says, that follows the server.
 *
 * @module
 */
import { patch } from "./dom.js";
import { setClock } from "./format.js";
import { follow, takeToken } from "./server.js";
import { notice, refused, viewOf } from "./views.js";

/** @import { Line } from "../wire.ts" */

/** How often times such as "3 s ago" are shown again, in ms. */
const TICK_MS = 1_000;

const main = byId("main");
const connection = byId("connection");

/** @type {Line | undefined} */
let line;
/** @type {"connecting" | "open" | "broken" | "refused"} */
let state = "connecting";
let following = new AbortController();
let isDrawing = false;

takeToken();
addEventListener("hashchange", () => {
  open();
  // As a page that is loaded would: those who cannot see it hear where they are.
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
addEventListener("redraw", draw);
byId("skip").addEventListener("click", (event) => {
  // The address is the view's.
  event.preventDefault();
  main.focus();
});
setInterval(draw, TICK_MS);
open();

/** Shows the view of the address, and follows it. */
function open() {
  following.abort();
  following = new AbortController();
  const { signal } = following;
  line = undefined;
  const { query, title, section } = viewOf(location.hash);
  document.title = `${title} – mcp-jobs`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  draw();
  follow(query, signal, (next) => {
    if (signal.aborted) return;
    line = next;
    if (next.view !== "error") setClock(next.now);
    draw();
  }, (next) => {
    if (signal.aborted || state === next) return;
    state = next;
    draw();
  });
}

/** Draws with the next frame, and not at all while nobody sees the page. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    connection.className = `live ${state}`;
    const words = {
      connecting: "Connecting…",
      open: "Live",
      broken: "Connection lost, trying again…",
      refused: "No access",
    };
    if (connection.textContent !== words[state]) connection.textContent = words[state];
    patch(
      main,
      state === "refused"
        ? refused()
        : line?.view === "error"
        ? notice(line.message)
        : viewOf(location.hash).draw(line),
    );
  });
}

/** @param {string} id */
function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element ${id}.`);
  return element;
}
