/**
 * Talks to the server of the page. The token came with the page's URL, and is kept for this tab alone.
 *
 * @module
 */

/** @import { Done, Line, ValueRead } from "../wire.ts" */

const KEY = "token";

/** How long to wait before the stream is opened again, in ms. */
const AGAIN_MS = 1_000;

/** Moves the token from the URL to where neither the history nor other pages find it. */
export function takeToken() {
  const token = /^#token=([\w-]+)$/.exec(location.hash)?.[1];
  if (token === undefined) return;
  sessionStorage.setItem(KEY, token);
  history.replaceState(null, "", "/#/overview");
}

/** The server knows no such token: it is another one by now. */
export class TokenRefused extends Error {}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function ask(path, init) {
  const authorization = `Bearer ${sessionStorage.getItem(KEY) ?? ""}`;
  const response = await fetch(path, { ...init, headers: { authorization } });
  if (response.ok) return response;
  // The status of an answer without JSON says it, too.
  const { error } = await response.json().catch(() => ({ error: response.statusText }));
  throw response.status === 401 ? new TokenRefused(error) : new Error(error);
}

/**
 * Does something.
 *
 * @param {string} kind
 * @param {string} name
 * @param {string} verb
 * @returns {Promise<Done>}
 */
export async function act(kind, name, verb) {
  return await (await ask(`/api/${kind}/${encodeURIComponent(name)}/${verb}`, { method: "POST" })).json();
}

/**
 * Reads the input or the outcome of a task.
 *
 * @param {string} id
 * @param {"input" | "outcome"} what
 * @returns {Promise<ValueRead>}
 */
export async function readValue(id, what) {
  return await (await ask(`/api/tasks/${encodeURIComponent(id)}/${what}`)).json();
}

/**
 * Follows a view until the signal aborts. A stream that breaks is opened again.
 *
 * @param {URLSearchParams} query
 * @param {AbortSignal} signal
 * @param {(line: Line) => void} onLine
 * @param {(state: "open" | "broken" | "refused") => void} onState
 */
export async function follow(query, signal, onLine, onState) {
  while (!signal.aborted) {
    try {
      const { body } = await ask(`/api/live?${query}`, { signal });
      if (body) await readLines(body, onLine, onState);
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof TokenRefused) return onState("refused");
    }
    if (signal.aborted) return;
    onState("broken");
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/**
 * @param {ReadableStream<Uint8Array<ArrayBuffer>>} body
 * @param {(line: Line) => void} onLine
 * @param {(state: "open") => void} onState
 */
async function readLines(body, onLine, onState) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (true) {
    const { done, value } = await reader.read();
    if (done) return;
    onState("open");
    rest += value;
    const lines = rest.split("\n");
    rest = lines.pop() ?? "";
    // Each line is the whole state, so of several only the last matters.
    const last = lines.at(-1);
    if (last !== undefined) onLine(JSON.parse(last));
  }
}
