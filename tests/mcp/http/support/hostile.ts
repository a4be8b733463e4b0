/**
 * Hostile requests: valid ones of both revisions, changed at random, but the same for the same seed.
 *
 * @module
 */
import { newTaskId } from "../../../../src/ids.ts";
import { randomFrom } from "../../../../tools/random.ts";

/** A request as it would go over the wire. */
export interface HostileRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Whether the body is sent in chunks, without a length. */
  readonly chunked?: boolean;
}

type Fields = { [key: string]: unknown };

const MODERN_META = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientInfo": { name: "fuzz", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {
    elicitation: {},
    extensions: { "io.modelcontextprotocol/tasks": {} },
  },
};

/** The tool calls of a server, each of which ends by itself; the first is that of a job. */
export type ToolCalls = readonly [Fields & { readonly name: string }, ...Fields[]];

/** Calls that end by themselves, and reads of what exists and what does not. `taskId` is a task of the first tool. */
function validCalls(taskId: string, tools: ToolCalls): readonly (readonly [method: string, params: Fields])[] {
  const uri = `mcp://results/${tools[0].name}/${taskId}`;
  return [
    ...tools.map((call) => ["tools/call", call] as const),
    ["tools/list", {}],
    ["tasks/get", { taskId }],
    ["tasks/result", { taskId }],
    ["tasks/cancel", { taskId }],
    ["tasks/update", { taskId, inputResponses: { "0": { action: "accept", content: {} } } }],
    ["tasks/list", {}],
    ["resources/list", {}],
    ["resources/templates/list", {}],
    ["resources/read", { uri }],
    ["subscriptions/listen", { notifications: { taskIds: [taskId], resourceSubscriptions: [uri] } }],
    ["prompts/list", {}],
    ["prompts/get", { name: "greet" }],
    ["server/discover", {}],
    ["ping", {}],
    ["notifications/cancelled", { requestId: 1, reason: "no" }],
    ["initialize", { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "fuzz", version: "1" } }],
    ["logging/setLevel", { level: "debug" }],
    ["completion/complete", { ref: { type: "ref/prompt", name: "greet" }, argument: { name: "a", value: "b" } }],
  ];
}

/** Makes hostile requests. `session`, `taskId` and `tools` are real ones. */
export class Hostile {
  readonly #random: () => number;
  readonly #session: string;
  readonly #calls: readonly (readonly [string, Fields])[];

  constructor(seed: number, session: string, taskId: string, tools: ToolCalls) {
    this.#random = randomFrom(seed);
    this.#session = session;
    this.#calls = validCalls(taskId, tools);
  }

  /** The next request. One of ten is unchanged. */
  next(): HostileRequest {
    const [method, params] = this.#pick(this.#calls);
    const modern = this.#chance(0.5);
    const message: Fields = {
      jsonrpc: "2.0",
      ...(!method.startsWith("notifications/") && { id: Math.floor(this.#random() * 1_000) }),
      method,
      params: modern ? { ...params, _meta: MODERN_META } : params,
    };
    const headers: Record<string, string> = {
      host: "localhost",
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      "mcp-protocol-version": modern ? "2026-07-28" : "2025-11-25",
      ...(modern ? modernHeaders(method, params) : { "mcp-session-id": this.#session }),
    };
    if (this.#chance(0.1)) return { method: "POST", headers, body: JSON.stringify(message) };
    // An error further inside passes the first checks.
    const changed = this.#chance(0.7)
      ? { ...message, params: this.#change(message.params, 1) }
      : this.#change(this.#chance(0.5) ? this.#change(message) : message);
    if (this.#chance(0.15)) this.#changeHeaders(headers);
    const verb = this.#chance(0.05) ? this.#pick(["GET", "DELETE", "PUT", "OPTIONS", "PATCH", "HEAD"]) : "POST";
    // A GET stream without a session stays empty, and DELETE would end the session that all the others use.
    if (verb === "GET" || verb === "DELETE") headers["mcp-session-id"] = crypto.randomUUID();
    const body = this.#spoil(JSON.stringify(changed) ?? "");
    return { method: verb, headers, ...(verb !== "GET" && verb !== "HEAD" && { body, chunked: this.#chance(0.1) }) };
  }

  /** Replaces, removes or adds something, somewhere. */
  #change(value: unknown, depth = 0): unknown {
    if (typeof value !== "object" || value === null || (depth > 0 && this.#chance(0.15))) return this.#junk();
    if (Array.isArray(value)) return value.map((item) => this.#chance(0.5) ? this.#change(item, depth + 1) : item);
    const entries = Object.entries(value);
    const at = Math.floor(this.#random() * (entries.length + 1));
    const entry = entries[at];
    if (entry === undefined || this.#chance(0.1)) {
      entries.push([
        this.#pick(["__proto__", "constructor", "task", "ttl", "_meta", "extra", "id", "x".repeat(5_000)]),
        this.#junk(),
      ]);
    } else if (this.#chance(0.2)) entries.splice(at, 1);
    else entries[at] = [entry[0], this.#change(entry[1], depth + 1)];
    // fromEntries sets a field named __proto__ like any other.
    return Object.fromEntries(entries);
  }

  #junk(): unknown {
    const nested = (depth: number, open: string, close: string) =>
      JSON.parse(`${open.repeat(depth)}1${close.repeat(depth)}`);
    const makers: readonly (() => unknown)[] = [
      () => null,
      () => true,
      () => -1,
      () => 1e308,
      () => 0.5,
      () => Number.MAX_SAFE_INTEGER,
      () => "",
      () => "__proto__",
      () => "\u0000\ud800\u202e💥",
      () => "x".repeat(Math.floor(this.#random() * 100_000)),
      () => [],
      () => ({}),
      () => [[], {}, null],
      () => ({ __proto__: null, constructor: { prototype: {} } }),
      () => nested(Math.floor(this.#random() * 200), "[", "]"),
      () => nested(Math.floor(this.#random() * 5_000), '{"a":', "}"),
      () => newTaskId(),
      () => this.#pick(this.#calls)[0],
      () => this.#pick(this.#calls)[1],
      () => MODERN_META,
      () => ({ ttl: this.#pick([-1, 0, 1e300, "1", null]) }),
    ];
    return this.#pick(makers)();
  }

  #changeHeaders(headers: Record<string, string>): void {
    const values = [
      "",
      "*",
      "x".repeat(9_000),
      "__proto__",
      "2025-11-25",
      "2026-07-28",
      "1999-01-01",
      "text/plain",
      "-1",
      "::1",
      "localhost:99999",
    ];
    const names = [...Object.keys(headers), "last-event-id", "origin", "mcp-method", "mcp-name", "mcp-session-id"];
    const name = this.#pick(names);
    if (this.#chance(0.3)) delete headers[name];
    else headers[name] = this.#pick(values);
  }

  /** Now and then the text itself is broken. */
  #spoil(text: string): string {
    if (!this.#chance(0.08)) return text;
    const cut = Math.floor(this.#random() * text.length);
    return this.#pick([
      text.slice(0, cut),
      `[${text},${text}]`,
      `${text}${text}`,
      text.slice(0, cut) + "\u0000" + text.slice(cut),
      "[".repeat(100_000),
      "",
    ]);
  }

  #pick<T>(items: readonly T[]): T {
    const item = items[Math.floor(this.#random() * items.length)];
    if (item === undefined) throw new Error("Nothing to pick from.");
    return item;
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

function modernHeaders(method: string, params: Fields): Record<string, string> {
  const name = params.name ?? params.uri ?? params.taskId;
  return { "mcp-method": method, ...(typeof name === "string" && { "mcp-name": name }) };
}
