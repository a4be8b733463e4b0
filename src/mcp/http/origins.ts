/**
 * The origins whose pages may call an endpoint from a browser, and what browsers have to be told of it: the CORS protocol
 * of the Fetch standard.
 *
 * @module
 */
import { DefinitionError } from "../../errors.ts";

const METHODS = "GET, POST, DELETE";

/** What clients of both revisions send, and trace contexts. Their other headers begin as `MCP_HEADER` says. */
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

/** 2026-07-28 has a header for each field of an input that a tool marks as one, `Mcp-Param-…`. */
const MCP_HEADER = /^mcp-[\w-]+$/i;

/** What a page may read of an answer, beside what it always may. */
const ANSWER_HEADERS = "Mcp-Session-Id, MCP-Protocol-Version, WWW-Authenticate, Retry-After";

/** For how long a browser need not ask again, in s; Chromium's most. */
const MAX_AGE = "7200";

/** The origins that are allowed. */
export class Origins {
  readonly #origins: readonly string[];

  /** Throws `DefinitionError` for what no browser sends as an origin, and so could never match, and for `*`. */
  constructor(origins: readonly string[] = []) {
    this.#origins = origins;
    for (const origin of origins) checkOrigin(origin);
  }

  /** Whether a request comes from a page of one of them. */
  allows({ headers }: Request): boolean {
    return this.#origins.includes(headers.get("origin") ?? "");
  }

  /** Answers a browser that asks what a page of an allowed origin may send; `undefined` for any other request. */
  preflight(request: Request): Response | undefined {
    const { method, headers } = request;
    if (method !== "OPTIONS" || !headers.has("access-control-request-method") || !this.allows(request)) {
      return undefined;
    }
    const asked = headers.get("access-control-request-headers")?.split(",").map((name) => name.trim()) ?? [];
    const allowed = [...REQUEST_HEADERS, ...asked.filter((name) => MCP_HEADER.test(name))];
    return new Response(null, {
      status: 204,
      headers: {
        "access-control-allow-methods": METHODS,
        "access-control-allow-headers": allowed.join(", "),
        "access-control-max-age": MAX_AGE,
      },
    });
  }

  /** An answer that a page of an allowed origin can read, an error, too. */
  tell(request: Request, response: Response): Response {
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
  // Only those of the web have an origin as URLs know it; browser extensions have the same form.
  const isWeb = url !== null && /^https?:$/.test(url.protocol);
  if (isWeb ? url.origin === origin : /^[a-z][a-z0-9+.-]*-extension:\/\/[\w.-]+$/.test(origin)) return;
  const why = origin === "*"
    ? "any page in the browser of somebody who runs this server could use it. Name the origins of your pages."
    : 'it must be written as browsers send it, as "https://app.example.com" or "http://localhost:6274".';
  throw new DefinitionError(`Cannot allow the origin ${JSON.stringify(origin)}: ${why}`);
}
