/**
 * Sends hostile requests to a server, and looks at every answer.
 *
 * @module
 */
import type { AsyncToolServer } from "../../mod.ts";
import { Hostile, type HostileRequest } from "./hostile.ts";
import { Raw } from "./raw.ts";

/** An answer that takes longer is a hang, in ms. */
const PATIENCE_MS = 20_000;

/** Sends `count` requests. Throws for an answer that is neither a valid result, nor a JSON-RPC error, nor 4xx. Returns how often each status came. */
export async function sendHostile(
  server: AsyncToolServer,
  seed: number,
  count: number,
): Promise<ReadonlyMap<number, number>> {
  const raw = await Raw.open(server.fetch);
  const hostile = new Hostile(seed, raw.session, await raw.start("nothing"));
  const statuses = new Map<number, number>();
  for (let number = 0; number < count; number++) {
    const { method, headers, body } = hostile.next();
    const sent: HostileRequest = { method, headers, body };
    const status = await within(answerTo(server, sent)).catch((error) => {
      throw new Error(`Request ${number} of seed ${seed}, ${JSON.stringify(sent).slice(0, 2_000)}: ${error.message}`);
    });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  return statuses;
}

async function answerTo(server: AsyncToolServer, sent: HostileRequest): Promise<number> {
  let request: Request;
  try {
    request = new Request("http://localhost/mcp", sent);
  } catch {
    // What HTTP itself cannot carry never reaches a server.
    return 0;
  }
  const response = await server.fetch(request);
  const text = await response.text();
  const { status } = response;
  if (status >= 500) throw new Error(`HTTP ${status}: ${text.slice(0, 500)}`);
  if (status >= 400 || text === "") return status;
  for (const message of messagesIn(text, response.headers.get("content-type") ?? "")) {
    if ("method" in message) continue;
    if (message.jsonrpc !== "2.0" || ("result" in message) === ("error" in message)) {
      throw new Error(`No JSON-RPC answer: ${text.slice(0, 500)}`);
    }
  }
  return status;
}

function messagesIn(text: string, type: string): readonly Record<string, unknown>[] {
  if (!type.startsWith("text/event-stream")) return [JSON.parse(text)];
  const lines = text.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6));
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
}

async function within<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
