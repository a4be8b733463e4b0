/**
 * A client of revision 2025-11-25, or an older one, that shows the bare HTTP: it talks to `server.fetch`, without a network.
 *
 * @module
 */

/** A JSON-RPC message as it arrived; a test knows what should be in it. */
// deno-lint-ignore no-explicit-any
export type Message = Record<string, any>;

/** One event of a stream; its id is empty if the stream cannot be resumed. */
export interface Sse {
  readonly id: string;
  readonly message?: Message;
}

/** Answers requests: a server's own `fetch`, or a remote one. */
export type Fetch = (request: Request) => Promise<Response>;

/** The events of an open stream, one after the other. */
export class Events implements AsyncDisposable {
  readonly #reader: ReadableStreamDefaultReader<string>;
  #text = "";

  constructor(response: Response) {
    if (response.body === null) throw new Error(`No stream: HTTP ${response.status}.`);
    this.#reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** The next event; `undefined` once the stream has ended. */
  async next(): Promise<Sse | undefined> {
    while (true) {
      const end = this.#text.indexOf("\n\n");
      if (end < 0) {
        const { done, value } = await this.#reader.read();
        if (done) return undefined;
        this.#text += value;
        continue;
      }
      const lines = this.#text.slice(0, end).split("\n");
      this.#text = this.#text.slice(end + 2);
      const field = (name: string) => lines.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1).trim();
      const [id, data] = [field("id"), field("data")];
      // Without either it is a comment that keeps the stream alive.
      if (id !== undefined || data) return { id: id ?? "", ...(data && { message: JSON.parse(data) }) };
    }
  }

  /** The next message. */
  async message(): Promise<Message> {
    for (let event = await this.next(); event; event = await this.next()) if (event.message) return event.message;
    throw new Error("The stream has ended without a message.");
  }

  /** Breaks the connection. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#reader.cancel();
  }
}

/** A session, driven by a test. */
export class Raw {
  session = "";
  #id = 0;

  constructor(readonly fetch: Fetch, readonly token?: string, readonly revision = "2025-11-25") {}

  /** Begins a session. */
  static async open(fetch: Fetch, token?: string, capabilities: Message = {}, revision?: string): Promise<Raw> {
    const raw = new Raw(fetch, token, revision);
    const params = { protocolVersion: raw.revision, capabilities, clientInfo: { name: "raw", version: "1" } };
    const response = await raw.post("initialize", params);
    raw.session = response.headers.get("mcp-session-id") ?? "";
    await using events = new Events(response);
    await events.message();
    const body = JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" });
    await raw.send({ method: "POST", body });
    return raw;
  }

  /** Sends a request with the headers of the session. */
  send({ headers = {}, ...init }: RequestInit & { readonly headers?: Record<string, string> }): Promise<Response> {
    const all = {
      host: "localhost",
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": this.revision,
      ...(this.session && { "mcp-session-id": this.session }),
      ...(this.token && { authorization: `Bearer ${this.token}` }),
      ...headers,
    };
    return this.fetch(new Request("http://localhost/mcp", { ...init, headers: all }));
  }

  /** The id of the last request. */
  get id(): number {
    return this.#id;
  }

  /** Cancels a request, as a client does after its time limit. */
  async cancel(requestId: number, reason?: string): Promise<void> {
    const params = { requestId, reason };
    const body = JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params });
    const { status } = await this.send({ method: "POST", body });
    if (status !== 202) throw new Error(`The cancellation was answered with HTTP ${status}.`);
  }

  /** Sends a request, and returns the response as it begins. */
  post(method: string, params: Message = {}): Promise<Response> {
    return this.send({ method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: ++this.#id, method, params }) });
  }

  /** Sends a request, and returns the message that answers it. */
  async ask(method: string, params: Message = {}): Promise<Message> {
    const response = await this.post(method, params);
    if (!response.headers.get("content-type")?.startsWith("text/event-stream")) return await response.json();
    await using events = new Events(response);
    let message = await events.message();
    // Questions of the server have ids of their own.
    while (!("id" in message) || "method" in message) message = await events.message();
    return message;
  }

  /** Opens the stream for what no request asked for, after an event if one is given. */
  async listen(lastEventId?: string): Promise<Events> {
    return new Events(await this.send({ method: "GET", headers: lastEventId ? { "last-event-id": lastEventId } : {} }));
  }

  /** Starts a job as a task. Returns its id. */
  async start(name: string, args: Message = {}): Promise<string> {
    const { result, error } = await this.ask("tools/call", { name, arguments: args, task: {} });
    if (error) throw new Error(error.message);
    return result.task.taskId;
  }
}
