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

/** What is said of the connection. */
const WORDS = {
  connecting: "Connecting…",
  open: "Live",
  broken: "Connection lost, trying again…",
  refused: "No access",
};

const main = byId("main");
const connection = byId("connection");

/** @type {Line | undefined} */
let line;
/** @type {"connecting" | "open" | "broken" | "refused"} */
let state = "connecting";
/** The view that `line` is of. */
let shown = "";
let following = new AbortController();
let isDrawing = false;

takeToken();
addEventListener("hashchange", ({ oldURL }) => {
  // A new URL of the page that is opened in the same tab changes no more than this.
  takeToken();
  open();
  // A filter that is used keeps the focus.
  if (pathOf(oldURL) === pathOf(location.href)) return;
  // As a page that is loaded would: those who cannot see it hear where they are.
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
});
// Browsers open few connections to one server at a time, so a page that nobody sees leaves its own to others.
document.addEventListener("visibilitychange", () => document.hidden ? following.abort() : open());
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
  const { query, title, section } = viewOf(location.hash);
  // With another filter, what was found with the one before stays until there is something else.
  if (shown !== pathOf(location.href)) line = undefined;
  shown = pathOf(location.href);
  document.title = `${title} – mcp-jobs`;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.getAttribute("href") === `#/${section}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  draw();
  if (document.hidden) return;
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
    if (connection.textContent !== WORDS[state]) connection.textContent = WORDS[state];
    const log = main.querySelector(".log");
    const isAtEnd = log === null || log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
    patch(main, content());
    // A log that is read at its end stays there.
    if (isAtEnd) main.querySelector(".log")?.scrollTo(0, Number.MAX_SAFE_INTEGER);
  });
}

function content() {
  if (state === "refused") return refused();
  return line?.view === "error" ? notice(line.message) : viewOf(location.hash).draw(line);
}

/**
 * The view of an address, without its filters.
 *
 * @param {string} url
 */
function pathOf(url) {
  return new URL(url).hash.split("?")[0] ?? "";
}

/** @param {string} id */
function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element ${id}.`);
  return element;
}
