/**
 * Buttons that do something, and what came of it.
 *
 * @module
 */
import { h } from "./dom.js";
import { act } from "./server.js";

/** The actions that are under way, by path. */
const pending = new Set();

/** How long what came of an action is shown, in ms. */
const NOTE_MS = 8_000;

/** @type {ReturnType<typeof setTimeout> | undefined} */
let hiding;

/**
 * A button. With `question`, it asks first.
 *
 * @param {string} label
 * @param {{
 *   readonly kind: string,
 *   readonly name: string,
 *   readonly verb: string,
 *   readonly what?: string,
 *   readonly question?: string,
 *   readonly style?: string,
 *   readonly idle?: boolean,
 * }} action `what` tells buttons with the same label apart for those who hear them; an `idle` one does nothing
 */
export function button(label, { kind, name, verb, what, question, style = "", idle = false }) {
  const path = `${kind}/${name}/${verb}`;
  return h("button", {
    type: "button",
    class: style,
    // Not `disabled`, which would take the focus away.
    "aria-disabled": idle || pending.has(path) ? "true" : undefined,
    "aria-label": what && `${label} ${what}`,
    onclick: async () => {
      if (idle || pending.has(path) || question && !await confirmed(question, label)) return;
      pending.add(path);
      dispatchEvent(new Event("redraw"));
      try {
        const { message, task } = await act(kind, name, verb);
        note(message);
        if (task) location.hash = `#/tasks/${task}`;
      } catch (error) {
        note(error instanceof Error ? error.message : String(error), true);
      } finally {
        pending.delete(path);
        dispatchEvent(new Event("redraw"));
      }
    },
  }, label);
}

/**
 * Shows a line for a while. Its element is a status, so it is also read out.
 *
 * @param {string} message
 * @param {boolean} [isError]
 */
export function note(message, isError = false) {
  const element = document.getElementById("note");
  if (element === null) return;
  clearTimeout(hiding);
  element.textContent = message;
  element.className = isError ? "note shown error" : "note shown";
  hiding = setTimeout(() => {
    element.className = "note";
    element.textContent = "";
  }, NOTE_MS);
}

/**
 * Asks in a dialog of the browser's own kind, which keeps the focus inside and gives it back.
 *
 * @param {string} question
 * @param {string} label
 * @returns {Promise<boolean>}
 */
function confirmed(question, label) {
  const no = h("button", { value: "no" }, "Back");
  const yes = h("button", { value: "yes", class: "danger" }, label);
  const form = h(
    "form",
    { method: "dialog" },
    h("p", { id: "question" }, question),
    h("p", { class: "buttons" }, no, yes),
  );
  const dialog = /** @type {HTMLDialogElement} */ (h("dialog", { "aria-labelledby": "question" }, form));
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}
