/**
 * Sends hostile requests to a server, and checks every answer.
 *
 * @module
 */
import { Hostile, type HostileRequest, type ToolCalls } from "./hostile.ts";
import { Events, type Fetch, type Message, Raw } from "./raw.ts";

/** An answer that takes longer is a hang, in ms. */
const TIMEOUT_MS = 60_000;

/** What is sent, and how much of it. */
export interface HostileOptions {
  /** Tools of the server whose calls end by themselves. */
  readonly tools: ToolCalls;
  readonly seed: number;
  readonly count: number;
}

/**
 * Sends hostile requests, one after the other. Throws for an answer that is neither a valid result, nor a JSON-RPC error,
 * nor 4xx. Returns how often each status came; 0 stands for requests that HTTP itself cannot carry.
 */
export async function sendHostile(
  fetch: Fetch,
  { tools, seed, count }: HostileOptions,
): Promise<ReadonlyMap<number, number>> {
  const raw = await Raw.open(fetch);
  const [{ name, arguments: input }] = tools;
  const hostile = new Hostile(seed, raw.session, await raw.start(name, input as Message), tools);
  const statuses = new Map<number, number>();
  for (let number = 0; number < count; number++) {
    const sent = hostile.next();
    const status = await within(answerTo(fetch, sent)).catch((cause) => {
      const what = `Request ${number} of seed ${seed}, ${JSON.stringify(sent).slice(0, 2_000)}`;
      throw new Error(`${what}: ${cause.message}`, { cause });
    });
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  }
  return statuses;
}

async function answerTo(fetch: Fetch, { body, chunked, ...sent }: HostileRequest): Promise<number> {
  let request: Request;
  try {
    request = new Request("http://localhost/mcp", { ...sent, body: chunked ? new Blob([body ?? ""]).stream() : body });
  } catch {
    return 0;
  }
  const response = await fetch(request);
  const { status } = response;
  if (status < 300 && response.headers.get("content-type")?.startsWith("text/event-stream")) {
    await readStream(response);
    return status;
  }
  const text = await response.text();
  if (status >= 500) throw new Error(`HTTP ${status}: ${text.slice(0, 500)}`);
  if (status < 400 && text !== "") checkAnswer(JSON.parse(text));
  else if (status === 200) throw new Error("HTTP 200 without an answer.");
  return status;
}

/** Reads until the answer, or until a subscription is acknowledged: that stream has no end. */
async function readStream(response: Response): Promise<void> {
  await using events = new Events(response);
  for (let message = await events.message();; message = await events.message()) {
    if (message.method === "notifications/subscriptions/acknowledged") return;
    if ("method" in message) continue;
    return checkAnswer(message);
  }
}

function checkAnswer(message: Message): void {
  if (message.jsonrpc === "2.0" && ("result" in message) !== ("error" in message)) return;
  throw new Error(`No JSON-RPC answer: ${JSON.stringify(message).slice(0, 500)}`);
}

async function within<T>(promise: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${TIMEOUT_MS} ms`)), TIMEOUT_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
