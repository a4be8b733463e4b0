/** A raw client of revision 2026-07-28: as little as can stand between a measurement and the server. */

let lastId = 0;

/** What a client is, and when it gives up. */
export interface ClientOptions {
  /** Whether it declares tasks. Default: `true`. */
  readonly tasks?: boolean;
  /** Closes the stream of the request. */
  readonly signal?: AbortSignal;
}

/** Sends one request. */
export function sendModern(
  url: string,
  method: string,
  params: Record<string, unknown>,
  { tasks = true, signal }: ClientOptions = {},
): Promise<Response> {
  const _meta = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "bench", version: "1.0.0" },
    "io.modelcontextprotocol/clientCapabilities": tasks ? { extensions: { "io.modelcontextprotocol/tasks": {} } } : {},
  };
  const name = params.name ?? params.taskId;
  return fetch(url, {
    method: "POST",
    signal,
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": String(name) }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id: ++lastId, method, params: { ...params, _meta } }),
  });
}

/** Sends one request. Resolves with the result, or rejects with the error. */
export async function askModern(
  url: string,
  method: string,
  params: Record<string, unknown>,
  options?: ClientOptions,
): Promise<Record<string, unknown>> {
  const response = await sendModern(url, method, params, options);
  const text = await response.text();
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const { result, error } = JSON.parse(isStream ? text.slice(text.lastIndexOf("data: ") + 6) : text);
  if (error !== undefined) throw new Error(`${method} failed: ${JSON.stringify(error)}`);
  return result;
}
