/**
 * The origins whose pages may call an endpoint from a browser, and the headers that tell browsers so: the CORS protocol of
 * the Fetch standard.
 *
 * @module
 */
import { DefinitionError } from "../../errors.ts";

const METHODS = "GET, POST, DELETE";

/** The headers that clients of both revisions send, and trace contexts. Any other matches `MCP_HEADER`. */
const REQUEST_HEADERS: readonly string[] = [
  "Accept",
  "Authorization",
  "Content-Type",
  "Last-Event-ID",
  "MCP-Protocol-Version",
  "Mcp-Session-Id",
  "Mcp-Method",
  "Mcp-Name",
  "traceparent",
  "tracestate",
  "baggage",
];

/** 2026-07-28 has a header `Mcp-Param-…` for each field of an input that the tool marks for it. */
const MCP_HEADER = /^mcp-[\w-]+$/i;

/** The response headers that a page may read, besides those that it always may. */
const ANSWER_HEADERS = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After";

/** How long a browser may reuse a preflight response, in s: the maximum of Chromium. */
const MAX_AGE = "7200";

export class Origins {
  readonly #origins: readonly string[];

  /** Throws `DefinitionError` for `*`, and for what no browser sends as an origin, and so could never match. */
  constructor(origins: readonly string[] = []) {
    this.#origins = origins;
    for (const origin of origins) checkOrigin(origin);
  }

  /** Whether a request comes from a page of one of them. */
  allows({ headers }: Request): boolean {
    return this.#origins.includes(headers.get("origin") ?? "");
  }

  /** The response to a preflight request from a page of an allowed origin; `undefined` for any other request. */
  preflight(request: Request): Response | undefined {
    const { method, headers } = request;
    if (method !== "OPTIONS" || !headers.has("access-control-request-method") || !this.allows(request)) {
      return undefined;
    }
    const requested = headers.get("access-control-request-headers")?.split(",").map((name) => name.trim()) ?? [];
    const allowed = [...REQUEST_HEADERS, ...requested.filter((name) => MCP_HEADER.test(name))];
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": allowed.join(", "),
        "access-control-max-age": MAX_AGE,
      },
    });
  }

  /** Makes a response, be it an error, readable for pages of an allowed origin. */
  expose(request: Request, response: Response): Response {
    if (this.#origins.length === 0) return response;
    const headers = new Headers(response.headers);
    headers.append("vary", "Origin");
    if (this.allows(request)) {
      headers.set("access-control-allow-origin", request.headers.get("origin") ?? "");
      headers.set("access-control-expose-headers", ANSWER_HEADERS);
    }
    const { status, statusText, body } = response;
    return new Response(body, { status, statusText, headers });
  }
}

function checkOrigin(origin: string): void {
  const url = URL.parse(origin);
  // URLs know only the origins of the web; those of browser extensions have the same form.
  const isWeb = url !== null && /^https?:$/.test(url.protocol);
  if (isWeb ? url.origin === origin : /^[a-z][a-z0-9+.-]*-extension:\/\/[\w.-]+$/.test(origin)) return;
  const why = origin === "*"
    ? "any page in the browser of whoever runs this server could use it. Name the origins of your pages."
    : 'it must be written as browsers send it, such as "https://app.example.com" or "http://localhost:6274".';
  throw new DefinitionError(`Cannot allow the origin ${JSON.stringify(origin)}: ${why}`);
}
