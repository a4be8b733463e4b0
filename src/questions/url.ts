/**
 * Which pages a job may ask a person to open (MCP, Elicitation, "Safe URL Handling").
 *
 * @module
 */
import { DefinitionError } from "../errors.ts";

/** Hosts that are this machine, where a page needs no encryption. */
const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Returns the URL of a page, normalised. Throws `DefinitionError`, without the URL's secrets, unless it is `https:`, or
 * `http:` on this machine, and has no name and no password. `what` names the question.
 */
export function checkUrl(url: string, what: string): string {
  const page = URL.parse(url);
  if (page === null) throw new DefinitionError(`Cannot ask ${what}: its URL is not valid.`);
  if (page.username !== "" || page.password !== "") {
    throw new DefinitionError(`Cannot ask ${what}: its URL has a name or a password, which its reader would learn.`);
  }
  const isLocal = page.protocol === "http:" && LOOPBACK.test(page.hostname);
  if (page.protocol !== "https:" && !isLocal) {
    throw new DefinitionError(
      `Cannot ask ${what}: its URL is ${page.protocol}//${page.host}. Use https:, or http: on this machine.`,
    );
  }
  return page.href;
}
