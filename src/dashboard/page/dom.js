/**
 * Views build new elements each time; `patch` then changes only what is different. So what has the focus, is selected or
 * scrolled stays as it is.
 *
 * @module
 */

/** @typedef {string | number | Node | false | null | undefined} Child */

const SVG = "http://www.w3.org/2000/svg";

/** How to build what `once` has made. @type {WeakMap<Element, () => readonly Node[]>} */
const builds = new WeakMap();

/**
 * Makes an element. Functions become event handlers; `true` is an attribute without a value; `false` and `undefined` are none.
 *
 * @param {string} tag
 * @param {{ readonly [name: string]: unknown }} [props]
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElement}
 */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/**
 * Makes an element of SVG.
 *
 * @param {string} tag
 * @param {{ readonly [name: string]: unknown }} [props]
 * @param {...(Child | readonly Child[])} children
 * @returns {Element}
 */
export function svg(tag, props = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/**
 * A list of facts: what each is called, and what it is.
 *
 * @param {readonly (readonly [string, ...(Child | readonly Child[])[]] | undefined)[]} rows
 * @param {{ readonly [name: string]: unknown }} [props]
 */
export function facts(rows, props) {
  return h("dl", props, rows.map((row) => row && h("div", {}, h("dt", {}, row[0]), h("dd", {}, ...row.slice(1)))));
}

/**
 * An element whose content is built once for each version: for what is large, or would load again.
 *
 * @param {string} version
 * @param {() => readonly Node[]} build
 * @returns {HTMLElement}
 */
export function once(version, build) {
  const element = h("div", { "data-version": version });
  builds.set(element, build);
  return element;
}

/**
 * @template {Element} E
 * @param {E} element
 * @param {{ readonly [name: string]: unknown }} props
 * @param {readonly (Child | readonly Child[])[]} children
 * @returns {E}
 */
function fill(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") Reflect.set(element, name, value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat()) {
    if (child !== undefined && child !== null && child !== false) {
      element.append(typeof child === "number" ? String(child) : /** @type {Node | string} */ (child));
    }
  }
  return element;
}

/**
 * Gives `parent` these children. Elements with the same `data-key`, or of the same kind at the same place, are changed and not
 * replaced.
 *
 * @param {Element} parent
 * @param {readonly Node[]} wanted
 */
export function patch(parent, wanted) {
  const keys = new Set(wanted.map(keyOf));
  /** @type {Map<string, Node>} */
  const kept = new Map();
  for (const child of [...parent.childNodes]) {
    const key = keyOf(child);
    if (key === undefined) continue;
    if (keys.has(key)) kept.set(key, child);
    else child.remove();
  }
  let at = parent.firstChild;
  for (const node of wanted) {
    const key = keyOf(node);
    // An element with a key is used for nothing else.
    const old = key === undefined ? (at && keyOf(at) === undefined ? at : null) : kept.get(key) ?? null;
    if (old === null || old.nodeName !== node.nodeName) {
      parent.insertBefore(node, at);
      build(node);
      continue;
    }
    if (old === at) at = at.nextSibling;
    else parent.insertBefore(old, at);
    update(old, node);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

/**
 * @param {Node} old
 * @param {Node} node
 */
function update(old, node) {
  if (!(old instanceof Element && node instanceof Element)) {
    if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
    return;
  }
  if (node.hasAttribute("data-version")) return rebuild(old, node);
  for (const { name } of [...old.attributes]) {
    if (!node.hasAttribute(name)) old.removeAttribute(name);
  }
  for (const { name, value } of node.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  for (const name of ["onclick", "onchange", "onsubmit"]) Reflect.set(old, name, Reflect.get(node, name));
  patch(old, [...node.childNodes]);
  // A field that was used ignores its attribute. It shows what the address says, but not against the person who is using it.
  if (old !== document.activeElement && "value" in old && "value" in node && old.value !== node.value) {
    if (old instanceof HTMLInputElement || old instanceof HTMLSelectElement) old.value = String(node.value);
  }
}

/**
 * Builds what is to be built once, in an element that is new on the page.
 *
 * @param {Node} node
 */
function build(node) {
  if (!(node instanceof Element)) return;
  for (const element of [node, ...node.querySelectorAll("[data-version]")]) {
    element.append(...builds.get(element)?.() ?? []);
  }
}

/**
 * @param {Element} old
 * @param {Element} node
 */
function rebuild(old, node) {
  const version = node.getAttribute("data-version") ?? "";
  if (old.getAttribute("data-version") === version) return;
  old.setAttribute("data-version", version);
  old.replaceChildren(...builds.get(node)?.() ?? []);
}

/** @param {Node} node */
function keyOf(node) {
  return node instanceof HTMLElement ? node.dataset.key : undefined;
}
