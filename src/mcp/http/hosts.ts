/**
 * The names under which an endpoint may be called: a web page must not reach it through the browser of the person who runs
 * it (DNS rebinding).
 *
 * @module
 */
import { localhostAllowedHostnames, validateHostHeader, validateOriginHeader } from "@modelcontextprotocol/server";
import { DefinitionError } from "../../errors.ts";
import { refuse } from "../messages/message.ts";

/** How URLs name all addresses of a machine at once. No host has such a name, but browsers reach this machine by some. */
const ALL_ADDRESSES: readonly string[] = ["0.0.0.0", "[::]", "[::ffff:0:0]"];

/**
 * The names of this machine, that of the address it listens on, and `more`. Throws `DefinitionError` for an entry of `more`
 * that is not a host name, and so could never match.
 */
export function allowedHosts(more: readonly string[] = [], address = "localhost"): string[] {
  return [...localhostAllowedHostnames(), nameOfAddress(address), ...more.map(nameOf)];
}

/** The name under which a server that listens on `address` is called. */
export function nameOfAddress(address: string): string {
  const name = nameInUrl(address);
  return ALL_ADDRESSES.includes(name) ? "localhost" : name;
}

/** Whether only this machine reaches a server that listens on `address`, also if that is an IPv4 address written as IPv6. */
export function isThisMachine(address: string): boolean {
  return /^(localhost|127(\.\d+){3}|\[::1\]|\[::ffff:7f[\da-f]{2}:[\da-f]{1,4}\])$/.test(nameInUrl(address));
}

function nameInUrl(address: string): string {
  const host = address.includes(":") && !address.startsWith("[") ? `[${address}]` : address;
  return URL.parse(`http://${host}`)?.hostname ?? host;
}

/** Refuses a request to another name, and a request from a web page of another name, unless its origin is allowed. */
export function refuseHost(
  { headers }: Request,
  url: URL,
  hosts: string[],
  isAllowedOrigin = false,
): Response | undefined {
  // HTTP/2 has no Host header; the URL has the name instead.
  const name = headers.get("host") ?? url.host;
  // Usually it is the host of the URL, which is parsed already.
  const allowed = name === url.host && hosts.includes(url.hostname);
  const host = allowed ? { ok: true } as const : validateHostHeader(name, hosts);
  const origin = isAllowedOrigin ? { ok: true } as const : validateOriginHeader(headers.get("origin"), hosts);
  const wrong = host.ok ? origin : host;
  if (wrong.ok) return undefined;
  const advice = ADVICE[wrong.errorCode] ?? "";
  return Response.json(refuse(FORBIDDEN, wrong.message + advice), { status: 403 });
}

/** What to do about a name that is refused. */
const ADVICE: { readonly [errorCode: string]: string } = {
  invalid_host: ". If requests may come with this name, add it to `allowedHosts`.",
  invalid_origin:
    ". If pages of this origin may call, add it to `allowedOrigins`; if it is a name of this server, to " +
    "`allowedHosts`.",
};

/** The code that the SDK uses. */
const FORBIDDEN = -32000;

/** A host name as URLs have it: in lower case, an IPv6 address in its short form. */
function nameOf(host: string): string {
  const url = URL.parse(`http://${host}`);
  if (url !== null && url.href === `http://${url.hostname}/` && !host.includes("*")) return url.hostname;
  throw new DefinitionError(
    `Cannot allow the host ${JSON.stringify(host)}: it must be only a name, such as "jobs.example.com" or "[::1]". ` +
      "Leave out scheme, port and path.",
  );
}
