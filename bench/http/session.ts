/** A raw client of revision 2025-11-25 in a session, which starts tasks and waits for their results. */

const HEADERS = {
  "content-type": "application/json",
  accept: "application/json, text/event-stream",
  "mcp-protocol-version": "2025-11-25",
};

/** One session over HTTP. */
export class Session {
  readonly #url: string;
  #id: string | undefined;
  #requests = 0;

  private constructor(url: string) {
    this.#url = url;
  }

  /** Begins a session. */
  static async begin(url: string): Promise<Session> {
    const session = new Session(url);
    const clientInfo = { name: "bench", version: "1.0.0" };
    await session.#ask("initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo });
    await session.#send({ method: "notifications/initialized" });
    return session;
  }

  /** Starts a tool as a task. Resolves once its result has come. */
  async runTask(name: string): Promise<void> {
    const { task } = await this.#ask("tools/call", { name, arguments: {}, task: {} });
    const { isError } = await this.#ask("tasks/result", { taskId: task.taskId });
    if (isError) throw new Error(`The task ${task.taskId} of ${name} has failed.`);
  }

  // deno-lint-ignore no-explicit-any -- the caller knows the result of what it asks for.
  async #ask(method: string, params: Record<string, unknown>): Promise<any> {
    const text = await this.#send({ id: ++this.#requests, method, params });
    const messages = text.split("\n").filter((line) => line.startsWith("data: {")).map((line) =>
      JSON.parse(line.slice(6))
    );
    const { result, error } = messages.find((message) => "result" in message || "error" in message) ?? {};
    if (result === undefined) throw new Error(`${method} failed: ${JSON.stringify(error ?? text)}`);
    return result;
  }

  async #send(message: Record<string, unknown>): Promise<string> {
    const response = await fetch(this.#url, {
      method: "POST",
      headers: { ...HEADERS, ...(this.#id && { "mcp-session-id": this.#id }) },
      body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    });
    this.#id ??= response.headers.get("mcp-session-id") ?? undefined;
    return await response.text();
  }
}
