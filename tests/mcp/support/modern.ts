/**
 * Raw requests of revision 2026-07-28 over HTTP: no SDK between the test and the wire.
 *
 * @module
 */
import { Events as Stream } from "../http/support/raw.ts";
import type { Fields, Message } from "./wire_message.ts";
import { checkTasks } from "./wire_tasks.ts";

/** How long a test waits for a message before it fails, in ms. */
const WAIT_MS = 60_000;

/** What a client declares with each request. */
export const TASKS: Fields = { elicitation: {}, extensions: { "io.modelcontextprotocol/tasks": {} } };

let lastId = 0;

/** Sends one request, and returns the HTTP response. */
export function send(url: URL, method: string, params: Fields, capabilities?: Fields): Promise<Response> {
  return fetch(request(url, method, params, capabilities));
}

/** One request, not sent yet. */
export function request(url: URL, method: string, params: Fields, capabilities: Fields = TASKS): Request {
  const name = params.name ?? params.uri ?? params.taskId;
  return new Request(url, {
    method: "POST",
    headers: {
      host: url.host,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name && { "mcp-name": name }),
    },
    body: JSON.stringify({
      jsonrpc: "2.0",
      id: ++lastId,
      method,
      params: { ...params, _meta: { ...params._meta, ...envelope(capabilities) } },
    }),
  });
}

/** The `_meta` of each request. */
export function envelope(capabilities: Fields): Fields {
  return {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": { name: "raw", version: "1.0.0" },
    "io.modelcontextprotocol/clientCapabilities": capabilities,
  };
}

/** Sends one request, and returns the message that answers it. */
export async function ask(url: URL, method: string, params: Fields, capabilities?: Fields): Promise<Message> {
  await using stream = new Events(await send(url, method, params, capabilities));
  return await stream.next(({ result, error }) => result !== undefined || error !== undefined);
}

/** The result of a call of a tool. */
export async function callTool(
  url: URL,
  name: string,
  args: Fields = {},
  more: Fields = {},
  capabilities?: Fields,
): Promise<Fields> {
  const { result, error } = await ask(url, "tools/call", { name, arguments: args, ...more }, capabilities);
  if (result === undefined) throw new Error(`${name} failed: ${JSON.stringify(error)}`);
  return result;
}

/** Listens to tasks and results; the first message is the acknowledgement. */
export async function listen(url: URL, notifications: Fields): Promise<Events> {
  return new Events(await send(url, "subscriptions/listen", { notifications }));
}

/** The messages of one HTTP response, whether it is an event stream or a single one. */
export class Events implements AsyncDisposable {
  readonly messages: Message[] = [];
  readonly #response: Response;
  readonly #stream: Stream | undefined;

  constructor(response: Response) {
    this.#response = response;
    if (response.headers.get("content-type") === "text/event-stream") this.#stream = new Stream(response);
  }

  /** Resolves with the next message that fits; the ones before it are in `messages`. */
  async next(fits: (message: Message) => boolean = () => true): Promise<Message> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`Never came, only ${JSON.stringify(this.messages)}`)), WAIT_MS);
    });
    try {
      while (true) {
        const message = await Promise.race([this.#read(), late]);
        if (message === undefined) throw new Error(`The stream has ended after ${JSON.stringify(this.messages)}`);
        this.messages.push(message);
        if (fits(message)) return message;
      }
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with all messages once the server has ended the stream. */
  async ended(): Promise<readonly Message[]> {
    for (let message = await this.#read(); message; message = await this.#read()) this.messages.push(message);
    return this.messages;
  }

  /** Goes away. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#stream) await this.#stream[Symbol.asyncDispose]();
    else if (!this.#response.bodyUsed) await this.#response.body?.cancel();
  }

  /** The next message, or nothing at the end. */
  async #read(): Promise<Message | undefined> {
    const message = this.#stream ? await nextMessage(this.#stream) : await bodyOf(this.#response);
    if (message) checkTasks(message);
    return message;
  }
}

async function nextMessage(stream: Stream): Promise<Message | undefined> {
  for (let event = await stream.next(); event; event = await stream.next()) if (event.message) return event.message;
}

async function bodyOf(response: Response): Promise<Message | undefined> {
  const text = response.bodyUsed ? "" : await response.text();
  return text.trim() === "" ? undefined : JSON.parse(text);
}
