/**
 * The ways in which clients run a job: with each strategy, and natively where a strategy gives tasks. All tell in the same
 * words how the task is.
 *
 * @module
 */
import {
  AdaptiveExposureStrategy,
  type AsyncToolServer,
  BlockingExposureStrategy,
  type ExposureStrategy,
  OperationResourceStrategy,
  PollingExposureStrategy,
  SingleToolExposureStrategy,
} from "../../mod.ts";
import { validate } from "../../src/schema/schema.ts";
import { Events, request, TASKS } from "../mcp/support/modern.ts";
import type { Fields } from "../mcp/support/wire_message.ts";

/** How long a call waits for a job, in ms: long enough for one that ends at once, and short for one that waits. */
export const WAITS = { patient: 60_000, impatient: 50 } as const;

/** How a task is, as its client sees it. */
export interface Seen {
  readonly token?: string;
  readonly status: string;
  readonly result?: unknown;
  /** Why it has no result. */
  readonly reason?: string;
}

/** How clients start, read and cancel the tasks of a job. */
export interface Way {
  /** The strategy, whose calls wait so many ms at most. */
  strategy(ms: number): ExposureStrategy;
  start(caller: Caller, job: string, input: Fields): Promise<Seen>;
  /** Reads a task, waiting for a change; absent if nobody learns its token. */
  read?(caller: Caller, job: string, token: string): Promise<Seen>;
  cancel?(caller: Caller, job: string, token: string): Promise<Seen>;
  /** Whether a call that has waited in vain cancels its task. */
  readonly cancelsLate?: boolean;
}

/** A 2026-07-28 client of a server in this process. It checks data against the output schema of their tool. */
export class Caller {
  readonly #server: AsyncToolServer;
  readonly #schemas: ReadonlyMap<string, Fields | undefined>;

  private constructor(server: AsyncToolServer, tools: readonly Fields[]) {
    this.#server = server;
    this.#schemas = new Map(tools.map(({ name, outputSchema }) => [name, outputSchema]));
  }

  /** A client that has listed the tools. */
  static async of(server: AsyncToolServer): Promise<Caller> {
    const { tools } = await new Caller(server, []).ask("tools/list", {});
    return new Caller(server, tools);
  }

  async ask(method: string, params: Fields, capabilities: Fields = {}): Promise<Fields> {
    const url = new URL("http://localhost/mcp");
    await using stream = new Events(await this.#server.fetch(request(url, method, params, capabilities)));
    const { result, error } = await stream.next(({ result, error }) => (result ?? error) !== undefined);
    if (result === undefined) throw new Error(`${method} failed: ${JSON.stringify(error)}`);
    return result;
  }

  /** Calls a tool as a client without tasks. */
  async call(name: string, args: Fields): Promise<Fields> {
    const result = await this.ask("tools/call", { name, arguments: args });
    const schema = this.#schemas.get(name);
    if (schema && !result.isError) await validate(schema, result.structuredContent, `data of ${name}`);
    return result;
  }
}

/** The reason of a failure in the content of a result, which, unlike an answer with a status, says itself that it is one. */
function reasonIn([block]: Fields[]): string {
  return String(block?.text).replace(/^Failed: /, "");
}

/** What the answer to a plain call tells, be it the result, the handle or an error. */
function seenInAnswer({ content, structuredContent: data, isError }: Fields): Seen {
  if (isError) return { status: "FAILED", reason: reasonIn(content) };
  return typeof data.token === "string" ? seenInResponse({ structuredContent: data }) : {
    status: "COMPLETED",
    result: data,
  };
}

/** What a response with a token tells. */
function seenInResponse({ structuredContent: { token, status, result, error, message } }: Fields): Seen {
  const reason = error ?? (status === "COMPLETED" ? undefined : message);
  return { token, status, ...(result && { result }), ...(reason && { reason }) };
}

/** What a native task tells. */
function seenInTask({ taskId: token, status, statusMessage, result }: Fields): Seen {
  if (result?.isError) return { token, status: "FAILED", reason: reasonIn(result.content) };
  const reason = status === "cancelled" && statusMessage;
  return {
    token,
    status: status.toUpperCase(),
    ...(result && { result: result.structuredContent }),
    ...(reason && { reason }),
  };
}

/** The longest that a call asks to wait, in s. */
const SECONDS = 60;

const WITH_TASKS: Omit<Way, "strategy"> = {
  start: async (caller, job, input) => {
    const answer = await caller.ask("tools/call", { name: job, arguments: input }, TASKS);
    return answer.resultType === "task" ? seenInTask(answer) : seenInAnswer(answer);
  },
  read: async (caller, _, taskId) => seenInTask(await caller.ask("tasks/get", { taskId }, TASKS)),
  cancel: async (caller, _, taskId) => {
    await caller.ask("tasks/cancel", { taskId }, TASKS);
    return seenInTask(await caller.ask("tasks/get", { taskId }, TASKS));
  },
};

/** The ways, by name. */
export const WAYS: Readonly<Record<string, Way>> = {
  adaptive: {
    strategy: (answerWithin) => new AdaptiveExposureStrategy({ answerWithin, toolPrefix: "plain_" }),
    start: async (caller, job, input) => seenInAnswer(await caller.call(job, input)),
    read: async (caller, _, token) =>
      seenInResponse(await caller.call("plain_task_status", { token, wait_seconds: SECONDS })),
    cancel: async (caller, _, token) => seenInResponse(await caller.call("plain_task_cancel", { token })),
  },
  adaptive_with_tasks: {
    strategy: (inlineWithin) => new AdaptiveExposureStrategy({ inlineWithin }),
    ...WITH_TASKS,
  },
  operation: { strategy: () => new OperationResourceStrategy(), ...WITH_TASKS },
  operation_without_tasks: {
    strategy: () => new OperationResourceStrategy(),
    start: async (caller, job, input) => seenInAnswer(await caller.call(job, input)),
  },
  polling: {
    strategy: (answerWithin) => new PollingExposureStrategy({ answerWithin }),
    start: async (caller, job, input) => seenInResponse(await caller.call(`${job}_start`, input)),
    read: async (caller, job, token) =>
      seenInResponse(await caller.call(`${job}_result`, { token, wait_seconds: SECONDS })),
    cancel: async (caller, job, token) => seenInResponse(await caller.call(`${job}_cancel`, { token })),
  },
  single: {
    strategy: (answerWithin) => new SingleToolExposureStrategy({ answerWithin }),
    start: async (caller, job, input) => seenInResponse(await caller.call(job, { action: "start", input })),
    read: async (caller, job, token) =>
      seenInResponse(await caller.call(job, { action: "check", token, wait_seconds: SECONDS })),
    cancel: async (caller, job, token) => seenInResponse(await caller.call(job, { action: "cancel", token })),
  },
  blocking: {
    strategy: (maxWait) => new BlockingExposureStrategy({ maxWait }),
    cancelsLate: true,
    start: async (caller, job, input) => seenInAnswer(await caller.call(job, input)),
  },
};
