/**
 * Jobs: what a user defines once, for the server and for the worker.
 *
 * @module
 */
import type { RetryPolicy } from "./backend.ts";
import { DefinitionError } from "./errors.ts";
import { anything, callback, checkOptions, flag, nested, type Rules, text, wholeNumber } from "./options.ts";
import type { Answer } from "./task.ts";
import type { JsonSchema } from "./schema/json_schema.ts";
import { type Accepted, type Infer, type Schema, toJsonSchema } from "./schema/schema.ts";
import { LONGEST_TIMER_MS } from "./waiting.ts";

/** What a running job knows of itself. */
export interface JobContext {
  /** The task id. */
  readonly id: string;
  /** Which attempt this is, from 1. */
  readonly attempt: number;
  /**
   * Aborts when the code is to stop; pass it on to whatever you await. Its `reason` says why: `TaskCancelled`, `TimedOut`,
   * `WorkerStopping`, or `HoldLost` when another worker has taken the task over.
   */
  readonly signal: AbortSignal;
  /** Says how much is done, from 0 to 1, and what is done now. Resolves when it is stored, or a newer report is. */
  progress(fraction: number, message?: string): Promise<void>;
  /** Says what is done now and leaves the progress as it is. */
  log(message: string): Promise<void>;
  /**
   * Asks the person in front of the client. The task is INPUT_REQUIRED until the answer comes; both are stored with it,
   * so a job that runs again after its worker died gets the answer to the same question, asked once. Questions are told
   * apart by message and schema, equal ones by their order; one in other words is asked anew.
   *
   * The schema describes a flat object of what a form can ask: text, numbers, yes or no, one of a list or some of it; any
   * other field rejects with `DefinitionError`. An accepted answer fits the schema, and has at most 4,000 characters of
   * JSON. Open questions and all answers of a task have at most 10,000 together: one that finds no room waits until
   * others are answered. Rejects with `ToolError` where that would not help, and once `signal` aborts.
   */
  elicit<S extends Schema>(question: { readonly message: string; readonly schema: S }): Promise<Answer<Infer<S>>>;
}

/** What a tool does to the world, told to the client as it stands in the MCP specification ("Tool", annotations). */
export interface JobAnnotations {
  /** It changes nothing. */
  readonly readOnlyHint?: boolean;
  /** It may destroy something. */
  readonly destructiveHint?: boolean;
  /** A second run with the same input changes nothing more. */
  readonly idempotentHint?: boolean;
  /** It reaches out of the server's own world. */
  readonly openWorldHint?: boolean;
}

/** How a job is tried, timed and queued. A registration may override each. */
export interface JobPolicy {
  /** How often it is tried in all; default 3. */
  readonly attempts?: number;
  /** The pause before the second attempt in ms, default 1,000; it doubles up to `maxDelay`, default 60,000. */
  readonly backoff?: { readonly delay?: number; readonly maxDelay?: number };
  /** The longest time that one attempt may take, in ms, at most 2,147,483,647 (24 days); default: none. */
  readonly timeout?: number;
  /** How long a task waits before its first attempt, in ms; default 0. */
  readonly delay?: number;
  /** 0 is the most urgent and the default; larger numbers run later. */
  readonly priority?: number;
}

/** What {@linkcode defineJob} takes. */
export interface JobDefinition<In extends Schema, Out extends Accepted<Output>, Output extends Schema = Schema>
  extends JobPolicy {
  /** The name: letters, digits, `_`, `-` and `.`, at most 100 characters. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it does, written for the model that has to choose it. */
  readonly description?: string;
  /** The input: any Standard Schema that gives JSON Schema, or plain JSON Schema; an object. */
  readonly input: In;
  /**
   * The result, likewise; told to the client as the tool's output schema. What the code returns is stored as the schema
   * gives it out: with defaults and changes, and for a zod object without fields that it does not name. What the code
   * returns has to be of the type that the schema takes.
   */
  readonly output?: Output;
  /** What the tool does to the world. */
  readonly annotations?: JobAnnotations;
  /** The code. Without it the job is a contract: a worker elsewhere runs it. */
  readonly run?: (input: Infer<In>, ctx: JobContext) => Out | Promise<Out>;
}

/** A defined job. */
export interface Job<Input = unknown, Output = unknown> {
  /** The name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it does. */
  readonly description: string;
  /** The input schema as the user gave it. */
  readonly input: Schema;
  /** The input schema as JSON Schema. */
  readonly inputSchema: JsonSchema;
  /** The output schema as the user gave it. */
  readonly output?: Schema;
  /** The output schema as JSON Schema. */
  readonly outputSchema?: JsonSchema;
  /** What the tool does to the world. */
  readonly annotations: JobAnnotations;
  /** How it is tried, timed and queued. */
  readonly policy: JobPolicy;
  /** The code; absent on a contract. A method, so that jobs of any input stand in one list. */
  run?(input: Input, ctx: JobContext): Output | Promise<Output>;
}

/**
 * Defines a job. Throws `DefinitionError` for a bad name, schema or option.
 *
 * @example
 * ```ts
 * import { defineJob } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * export const generateReport = defineJob({
 *   name: "generate_report",
 *   description: "Generate a revenue report for one user",
 *   input: z.object({ user_id: z.string() }),
 *   run: async ({ user_id }, ctx) => {
 *     await ctx.progress(0.25, "loading orders");
 *     return { user_id, revenue: 42000, items: 17 };
 *   },
 * });
 * ```
 */
export function defineJob<In extends Schema, Out extends Accepted<Output>, Output extends Schema = Schema>(
  definition: JobDefinition<In, Out, Output>,
): Job<Infer<In>, Out> {
  checkOptions(`defineJob(${JSON.stringify(definition?.name)})`, definition, DEFINITION);
  const { name, title, description, input, output, annotations, run, ...policy } = definition;
  checkName(name);
  return {
    name,
    title,
    description: description ?? `Run the background job ${name}.`,
    input,
    inputSchema: toJsonSchema(input, "input", name),
    output,
    outputSchema: output && toJsonSchema(output, "output", name),
    annotations: annotations ?? {},
    policy,
    ...(run && { run }),
  };
}

/**
 * Gives a contract, which is a job without `run`, its code. So a server imports the contract alone, and its workers the
 * code with all that it needs. Throws `DefinitionError` for a job that has code already.
 *
 * @example
 * ```ts
 * import { defineJob, implement } from "@mcp-jobs/mcp-jobs";
 * import { z } from "zod";
 *
 * // jobs.ts, for the server
 * export const echo = defineJob({ name: "echo", input: z.object({ text: z.string() }) });
 * // worker.ts
 * const job = implement(echo, ({ text }) => text);
 * ```
 */
export function implement<Input, Output, Out extends Output>(
  contract: Job<Input, Output>,
  run: (input: Input, ctx: JobContext) => Out | Promise<Out>,
): Job<Input, Out> {
  const { name, inputSchema } = contract;
  if (inputSchema === undefined) {
    throw new DefinitionError(`Cannot implement ${name}: pass what defineJob has returned.`);
  }
  if (contract.run) throw new DefinitionError(`Cannot implement ${name}: it has code. Leave \`run\` out of defineJob.`);
  if (typeof run !== "function") throw new DefinitionError(`Cannot implement ${name}: pass its code, a function.`);
  return { ...contract, run };
}

/** Throws `DefinitionError` unless a name can be a tool's (MCP specification 2025-11-25, "Tool Names") with a suffix. */
export function checkName(name: string): void {
  if (typeof name !== "string" || !/^[A-Za-z0-9_.-]{1,100}$/.test(name)) {
    throw new DefinitionError(
      `Cannot use ${JSON.stringify(name)} as a name: it needs 1 to 100 letters, digits, "_", "-" and ".".`,
    );
  }
}

const BACKOFF: Rules<NonNullable<JobPolicy["backoff"]>> = { delay: wholeNumber(0), maxDelay: wholeNumber(0) };

/** What the options of a policy may be. */
export const POLICY: Rules<JobPolicy> = {
  attempts: wholeNumber(1),
  backoff: nested(BACKOFF),
  timeout: wholeNumber(1, LONGEST_TIMER_MS),
  delay: wholeNumber(0),
  priority: wholeNumber(0),
};

const ANNOTATIONS: Rules<JobAnnotations> = {
  readOnlyHint: flag,
  destructiveHint: flag,
  idempotentHint: flag,
  openWorldHint: flag,
};

/** What a definition may be; `checkName` and `toJsonSchema` look at the name and the schemas. */
export const DEFINITION: Rules<JobDefinition<Schema, unknown>> = {
  name: anything,
  title: text,
  description: text,
  input: anything,
  output: anything,
  annotations: nested(ANNOTATIONS),
  run: callback,
  ...POLICY,
};

/** The retry policy with its defaults. */
export function retryPolicy({ attempts = 3, backoff = {} }: JobPolicy): RetryPolicy {
  return { attempts, delay: backoff.delay ?? 1_000, maxDelay: backoff.maxDelay ?? 60_000 };
}
