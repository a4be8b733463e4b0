/** The clients of a chaos run that know no tasks: their calls reach a time limit and are repeated, or return a handle. */
// @ts-types="npm:@modelcontextprotocol/sdk@1.32.2/types"
import { type CallToolResult, CallToolResultSchema } from "@modelcontextprotocol/sdk/types.js";
import { STEP_OR_HANDLE } from "./job.ts";
import type { Planned } from "./ledger.ts";
import { type Connection, isTimeout, withStore } from "./processes.ts";
import { endOfResult, endOfStatus, type ReportedEnd, taskOfResult } from "./reported_end.ts";

/**
 * The time limit of a call that is repeated, in ms: it doubles each time, so that repeated calls do not overload a slow
 * machine.
 */
const LIMIT_MS = 250;
const LONGEST_LIMIT_MS = 4_000;

/** How long a client repeats its call before it gives up, in ms. */
const TIMEOUT_MS = 180_000;

/** What became of the task of a plain client. */
export interface Called {
  /** The id of the task; `undefined` if the client never received one. */
  readonly id: string | undefined;
  readonly end: ReportedEnd;
  /** How often the client called again because its time limit had passed. */
  readonly repeats: number;
  /** How often a server died, or its store failed, between the first call and the last. */
  readonly deaths: number;
  /** Whether the client received a handle. */
  readonly handle: boolean;
}

/** Calls with a short time limit, and again with the same input, until the result arrives. */
export async function callAgain(connection: Connection, { number, ms, fail }: Planned): Promise<Called> {
  const givesUpAt = Date.now() + TIMEOUT_MS;
  const call = new CountedCalls(connection, "step");
  let result = await call.once({ number, ms, fail }, LIMIT_MS);
  let repeats = 0;
  while (result === undefined && Date.now() < givesUpAt) {
    result = await call.once({ number, ms, fail }, Math.min(LIMIT_MS * 2 ** ++repeats, LONGEST_LIMIT_MS));
  }
  const end: ReportedEnd = result ? endOfResult(result) : { kind: "unknown", text: "no result in three minutes" };
  return { id: result && taskOfResult(result), end, repeats, deaths: call.deaths, handle: false };
}

/** Calls once, and calls `task_status` if that returns a handle. */
export async function callForHandle(connection: Connection, { number, ms, fail }: Planned): Promise<Called> {
  const call = new CountedCalls(connection, STEP_OR_HANDLE);
  const first = await call.once({ number, ms, fail }, TIMEOUT_MS);
  const { deaths } = call;
  const token = first?.structuredContent?.token;
  if (first === undefined || typeof token !== "string") {
    const end: ReportedEnd = first ? endOfResult(first) : { kind: "unknown", text: "no answer in three minutes" };
    return { id: first && taskOfResult(first), end, repeats: 0, deaths, handle: false };
  }
  const status = new CountedCalls(connection, "task_status");
  const givesUpAt = Date.now() + TIMEOUT_MS;
  let end: ReportedEnd | undefined;
  while (end === undefined && Date.now() < givesUpAt) {
    const result = await status.once({ token }, TIMEOUT_MS);
    end = result && endOfStatus(result);
  }
  end ??= { kind: "unknown", text: "no end in three minutes" };
  return { id: token, end, repeats: 0, deaths, handle: true };
}

/** The calls of one tool by one client. */
class CountedCalls {
  /** How often a server died, or its store failed, since the first call. */
  deaths = 0;
  #client: object | undefined;

  constructor(
    private readonly connection: Connection,
    private readonly tool: string,
  ) {}

  /** Calls until a server answers; returns `undefined` if the time limit, in ms, passes first. */
  once(input: Record<string, unknown>, timeout: number): Promise<CallToolResult | undefined> {
    const request = { method: "tools/call" as const, params: { name: this.tool, arguments: input } };
    return this.connection.use(async (client) => {
      // Another client's call may have met the death of the server between two calls of this one.
      if (this.#client !== undefined && this.#client !== client) this.deaths++;
      this.#client = client;
      try {
        return withStore(await client.request(request, CallToolResultSchema, { timeout }));
      } catch (error) {
        if (isTimeout(error)) return undefined;
        this.deaths++;
        this.#client = undefined; // This death is counted.
        throw error;
      }
    });
  }
}
