/**
 * Who may use the page: programs and pages that know its token, on this machine. Other web pages that a person's browser
 * has open can reach neither the page nor what it shows.
 *
 * @module
 */
import { hash, timingSafeEqual } from "node:crypto";

/** The names of the one address on which the page is served. */
const NAMES: readonly string[] = ["127.0.0.1", "localhost"];

/** Sent with every response: nothing from elsewhere is loaded, and the page is not cached, framed or revealed to others. */
const HEADERS: { readonly [name: string]: string } = {
  "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
    "img-src 'self' data:; media-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

/** A token that cannot be guessed. */
export function newToken(): string {
  return crypto.getRandomValues(new Uint8Array(24)).toBase64({ alphabet: "base64url" });
}

/**
 * Why a request is refused, if it is: it was sent to another name (DNS rebinding), by a page of another origin, or it
 * changes something and does not come from the page.
 */
export function refusal({ method, headers }: Request, port: number): string | undefined {
  const hosts = NAMES.map((name) => `${name}:${port}`);
  const host = headers.get("host") ?? "";
  if (!hosts.includes(host)) return `The page is served at ${hosts.join(" and ")} only.`;
  const origin = headers.get("origin");
  const isOwn = origin === `http://${host}`;
  if (method === "GET" ? origin === null || isOwn : isOwn) return undefined;
  return "Only the page itself may send this request.";
}

/** Whether a request has the token, as `Authorization: Bearer …`. */
export function hasToken({ headers }: Request, token: string): boolean {
  return timingSafeEqual(digest(headers.get("authorization") ?? ""), digest(`Bearer ${token}`));
}

/** Adds what every response has. */
export function secured(response: Response): Response {
  for (const [name, value] of Object.entries(HEADERS)) response.headers.set(name, value);
  return response;
}

/** Has the same length for every text, as a comparison in constant time needs. */
function digest(text: string): Uint8Array {
  return hash("sha256", text, "buffer");
}
