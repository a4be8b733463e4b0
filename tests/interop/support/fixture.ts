/**
 * The server that the interop and protocol tests talk to: one job for every way in which a job can behave.
 *
 * @module
 */
import type { McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import {
  AdaptiveExposureStrategy,
  AsyncToolServer,
  type Backend,
  BlockingExposureStrategy,
  defineJob,
  type ExposureStrategy,
  JobFault,
  MemoryBackend,
  OperationResourceStrategy,
  PollingExposureStrategy,
  type ServerOptions,
  SingleToolExposureStrategy,
  ToolError,
} from "../../../mod.ts";

export type StrategyName = "polling" | "operation" | "adaptive" | "single_tool" | "blocking";

/** The strategies. Their calls wait so many ms, or as long as by default. */
const STRATEGIES: Readonly<Record<StrategyName, (ms?: number) => ExposureStrategy>> = {
  polling: (answerWithin) => new PollingExposureStrategy({ answerWithin }),
  operation: () => new OperationResourceStrategy({ notifications: true }),
  adaptive: (answerWithin) => new AdaptiveExposureStrategy({ answerWithin }),
  single_tool: (answerWithin) => new SingleToolExposureStrategy({ answerWithin }),
  blocking: (maxWait) => new BlockingExposureStrategy({ maxWait }),
};

export function isStrategyName(name: string | undefined): name is StrategyName {
  return name !== undefined && Object.hasOwn(STRATEGIES, name);
}

/** Named signals between a test and a job, so that no test waits for time to pass. */
class Gates {
  readonly #gates = new Map<string, PromiseWithResolvers<string>>();

  open(name: string, value = ""): void {
    this.#gate(name).resolve(value);
  }

  opened(name: string): Promise<string> {
    return this.#gate(name).promise;
  }

  #gate(name: string): PromiseWithResolvers<string> {
    const gate = this.#gates.get(name) ?? Promise.withResolvers<string>();
    this.#gates.set(name, gate);
    return gate;
  }
}

/** What a JSON value can never be, one by one. */
const NOT_JSON: Readonly<Record<string, () => unknown>> = {
  function: () => ({ callback: () => 1 }),
  bigint: () => ({ count: 1n }),
  nan: () => ({ ratio: NaN }),
  cycle: () => {
    const node: Record<string, unknown> = {};
    return node.self = node;
  },
};

/** What code can throw beside a proper error. */
const THROWN: Readonly<Record<string, unknown>> = {
  error: new Error("The disk is full."),
  tool_error: new ToolError("The card was declined."),
  string: "just a string",
  null: null,
  nothing: undefined,
};

/** A job that no worker runs, until a test starts one. */
export const contract = defineJob({ name: "contract", description: "Runs elsewhere", input: z.object({}) });

/** Adds the jobs; `strategy` is that of the job whose calls do not wait long. */
function addJobs(server: AsyncToolServer, gates: Gates, strategy: ExposureStrategy): void {
  const gate = z.object({ gate: z.string() });
  const hold = async (input: { gate: string }, signal: AbortSignal, id: string) => {
    gates.open(`${input.gate}:started`, id);
    const { promise, reject } = Promise.withResolvers<never>();
    signal.addEventListener("abort", () => {
      gates.open(`${input.gate}:aborted`, String(signal.reason));
      reject(signal.reason);
    });
    return { said: await Promise.race([gates.opened(input.gate), promise]) };
  };

  server.asyncTool({
    name: "steps",
    description: "Waits for its gate, takes some steps, and waits for the gate at the end",
    input: z.object({ gate: z.string(), end: z.string().optional(), steps: z.number().int().min(1).max(10) }),
    output: z.object({ taken: z.number() }),
  }, async ({ gate, end, steps }, ctx) => {
    gates.open(`${gate}:started`, ctx.id);
    await gates.opened(gate);
    for (let step = 1; step <= steps; step++) await ctx.progress(step / (steps + 1), `step ${step} of ${steps}`);
    gates.open(`${gate}:stepped`);
    if (end !== undefined) await gates.opened(end);
    return { taken: steps };
  });
  server.asyncTool(
    { name: "hold", description: "Waits for its gate, or for its signal", input: gate },
    (input, ctx) => hold(input, ctx.signal, ctx.id),
  );
  server.asyncTool(
    { name: "stubborn", description: "As hold, but not to be cancelled", input: gate, cancel: false },
    (input, ctx) => hold(input, ctx.signal, ctx.id),
  );
  server.asyncTool({
    name: "fail",
    description: "Throws",
    input: z.object({ what: z.string() }),
    attempts: 1,
  }, ({ what }) => {
    throw THROWN[what];
  });
  server.asyncTool({ name: "fault", description: "Ends with a JSON-RPC error", input: z.object({}) }, () => {
    throw new JobFault("The engine is on fire.", -32050);
  });
  server.asyncTool(
    { name: "not_json", description: "Returns what is not JSON", input: z.object({ what: z.string() }) },
    ({ what }) => NOT_JSON[what]?.(),
  );
  server.asyncTool(
    { name: "nothing", description: "Returns nothing", input: z.object({}) },
    () => {},
  );
  server.asyncTool(
    {
      name: "big",
      description: "Returns a large text",
      input: z.object({ size: z.number() }),
      output: z.object({ text: z.string() }),
    },
    ({ size }) => ({ text: "x".repeat(size) }),
  );
  server.asyncTool({
    name: "strict",
    description: "Takes nothing beside its id",
    input: z.strictObject({ id: z.number().int(), tags: z.array(z.string()).optional() }),
  }, (input) => input);
  server.asyncTool({
    name: "strict_json",
    description: "As strict, from plain JSON Schema",
    input: {
      type: "object",
      properties: { id: { type: "integer" }, tags: { type: "array", items: { type: "string" } } },
      required: ["id"],
      additionalProperties: false,
    },
  }, (input) => input);
  server.asyncTool({
    name: "measure",
    description: "Says how long a text is",
    input: z.looseObject({ text: z.string() }),
  }, (input) => ({ length: input.text.length, keys: Object.keys(input) }));
  server.asyncTool({ name: "chatty", description: "Logs to the console", input: z.object({}) }, () => {
    // deno-lint-ignore no-console
    const { log, info, debug, dir, table, count, group, groupEnd } = console;
    for (const write of [log, info, debug, dir, table, count, group]) write("a line that is no JSON-RPC message");
    groupEnd();
    return { logged: true };
  });
  server.asyncTool(
    { name: "fleeting", description: "Its result expires at once", input: z.object({}), resultTtl: 1 },
    () => ({ gone: true }),
  );
  const who = { message: "What is your name?", schema: z.object({ name: z.string().min(1) }) };
  server.asyncTool({ name: "ask", description: "Asks for a name", input: z.object({}) }, (_, ctx) => ctx.elicit(who));
  server.asyncTool(
    { name: "must", description: "Can only be a task", input: z.object({}), taskSupport: "required" },
    () => ({ done: true }),
  );
  server.asyncTool({
    name: "introduce",
    description: "Is told a name before it begins",
    input: z.object({ name: z.string() }),
    askFor: { name: "What is your name?" },
  }, ({ name }) => ({ greeting: `Hello, ${name}!` }));
  server.registerAsyncTool(contract);
  server.asyncTool({
    name: "long",
    description: "Counts half, and waits for its gate; its calls wait 1 s",
    input: gate,
    output: z.object({ said: z.string() }),
    strategy,
  }, async (input, ctx) => {
    await ctx.progress(0.5, "counting");
    return await hold(input, ctx.signal, ctx.id);
  });
}

/** What a user adds through the official API; the tests reach the gates this way. */
function addPlain(mcp: McpServer, gates: Gates): void {
  const gate = z.object({ gate: z.string() });
  const text = (text: string) => ({ content: [{ type: "text" as const, text }] });
  mcp.registerTool("ping", { description: "Answers at once" }, () => text("pong"));
  mcp.registerTool("open_gate", { description: "Opens a gate", inputSchema: gate }, ({ gate }) => {
    gates.open(gate, "opened");
    return text("open");
  });
  mcp.registerTool(
    "await_gate",
    { description: "Waits for a gate", inputSchema: gate },
    async ({ gate }) => text(await gates.opened(gate)),
  );
  mcp.registerPrompt("greet", { description: "A greeting" }, () => ({
    messages: [{ role: "user", content: { type: "text", text: "Say hello." } }],
  }));
  mcp.registerResource(
    "about",
    "info://about",
    { description: "About this server" },
    (uri) => ({ contents: [{ uri: uri.href, text: "A fixture." }] }),
  );
}

/** Makes the fixture server. */
export function fixtureServer(
  strategy: StrategyName,
  backend: Backend = new MemoryBackend(),
  options: Partial<ServerOptions> = {},
): AsyncToolServer {
  const server = new AsyncToolServer({
    name: "fixture",
    version: "1.0.0",
    backend,
    strategy: STRATEGIES[strategy](),
    audit: () => {},
    ...options,
  });
  const gates = new Gates();
  addJobs(server, gates, STRATEGIES[strategy](1_000));
  server.extend((mcp: McpServer) => addPlain(mcp, gates));
  return server;
}
