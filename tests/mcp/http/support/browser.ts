/**
 * `fetch` as in a page of a browser: requests to another origin follow the CORS protocol of the Fetch standard. Deno's
 * own `fetch` does not.
 *
 * @module
 */

/** The methods that a page may use without a preflight (Fetch, "CORS-safelisted method"). */
const SAFE_METHODS = ["GET", "HEAD", "POST"];

/** Fetch, "CORS-safelisted response-header name". */
const SAFE_ANSWERS = [
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "expires",
  "last-modified",
  "pragma",
];

type Fetch = (url: string | URL, init?: RequestInit) => Promise<Response>;

/** What a page of `origin` fetches from a server of another one. `preflights` collects each preflight request. */
export function pageOf(
  origin: string,
  send: (request: Request) => Promise<Response>,
  preflights: Request[] = [],
): Fetch {
  const allowed = new Set<string>();
  return async (url, init = {}) => {
    const { method = "GET" } = init;
    const request = new Request(url, init);
    request.headers.set("origin", origin);
    const unsafe = [...request.headers].filter(([name, value]) => name !== "origin" && !isSafe(name, value))
      .map(([name]) => name).sort();
    // Fetch, "CORS-preflight cache".
    const asked = `${url} ${method} ${unsafe}`;
    if ((unsafe.length > 0 || !SAFE_METHODS.includes(method)) && !allowed.has(asked)) {
      await ask(url, method, unsafe, origin, send, preflights);
      allowed.add(asked);
    }
    const response = await send(request);
    check(response, origin);
    const exposed = listOf(response, "access-control-expose-headers");
    const visible = [...response.headers].filter(([name]) => [...SAFE_ANSWERS, ...exposed].includes(name));
    return new Response(response.body, { status: response.status, headers: visible });
  };
}

/** Fetch, "CORS-preflight fetch". */
async function ask(
  url: string | URL,
  method: string,
  unsafe: readonly string[],
  origin: string,
  send: (request: Request) => Promise<Response>,
  preflights: Request[],
): Promise<void> {
  const headers = {
    origin,
    accept: "*/*",
    "access-control-request-method": method,
    ...(unsafe.length > 0 && { "access-control-request-headers": unsafe.join(",") }),
  };
  const request = new Request(url, { method: "OPTIONS", headers });
  preflights.push(request);
  const response = await send(request);
  await response.body?.cancel();
  check(response, origin);
  if (!response.ok) throw new TypeError(`Failed to fetch: the preflight got HTTP ${response.status}.`);
  const methods = listOf(response, "access-control-allow-methods");
  if (!SAFE_METHODS.includes(method) && !methods.includes(method.toLowerCase())) {
    throw new TypeError(`Failed to fetch: ${method} is not allowed.`);
  }
  const allowed = listOf(response, "access-control-allow-headers");
  const refused = unsafe.filter((name) => !allowed.includes(name));
  if (refused.length > 0) throw new TypeError(`Failed to fetch: the headers ${refused} are not allowed.`);
}

/** Fetch, "CORS check"; a page sends no cookies here. */
function check(response: Response, origin: string): void {
  const allowed = response.headers.get("access-control-allow-origin");
  if (allowed === "*" || allowed === origin) return;
  void response.body?.cancel();
  throw new TypeError(`Failed to fetch: the origin ${origin} is not allowed, but ${allowed}.`);
}

function listOf({ headers }: Response, name: string): readonly string[] {
  return (headers.get(name) ?? "").split(",").map((one) => one.trim().toLowerCase());
}

/** Fetch, "CORS-safelisted request-header", as far as it matters here. */
function isSafe(name: string, value: string): boolean {
  if (name === "content-type") {
    return /^(text\/plain|multipart\/form-data|application\/x-www-form-urlencoded)/.test(value);
  }
  return ["accept", "accept-language", "content-language"].includes(name);
}
