/**
 * Jobs: defined once, for the server and for the worker.
 *
 * @module
 */
import type { JobLimits, RetryPolicy } from "./backend.ts";
import { DefinitionError } from "./errors.ts";
import type { Content } from "./content/content.ts";
import { isObject } from "./json.ts";
import {
  anything,
  callback,
  checkOptions,
  either,
  flag,
  nested,
  numberFrom,
  oneOf,
  required,
  type Rule,
  type Rules,
  text,
  wholeNumber,
} from "./options.ts";
import type { JobContext } from "./steps/context.ts";
import type { JsonSchema } from "./schema/json_schema.ts";
import { type Accepted, type Infer, type Schema, toJsonSchema } from "./schema/schema.ts";
import { KEY_TTL_MS } from "./task.ts";
import { LONGEST_TIMER_MS, LONGEST_WAIT_MS } from "./waiting.ts";

/** How a tool affects its environment, as clients see it (MCP specification, "Tool", annotations). */
export interface JobAnnotations {
  /** The tool changes nothing. */
  readonly readOnlyHint?: boolean;
  /** The tool may destroy something. */
  readonly destructiveHint?: boolean;
  /** A second run with the same input changes nothing further. */
  readonly idempotentHint?: boolean;
  /** The tool interacts with systems outside the server. */
  readonly openWorldHint?: boolean;
}

/** How a job is retried, limited in time and queued. A registration may override each option. */
export interface JobPolicy {
  /** The number of attempts, including the first. Default: 3. */
  readonly attempts?: number;
  /** The pause before the second attempt, in ms, by default 1,000. It doubles up to `maxDelay`, by default 60,000. */
  readonly backoff?: { readonly delay?: number; readonly maxDelay?: number };
  /** The longest time that one attempt may take, in ms, at most 2,147,483,647 (24 days). Default: no limit. */
  readonly timeout?: number;
  /** How long a task waits before its first attempt, in ms. Default: 0. */
  readonly delay?: number;
  /** 0, the default, is the most urgent; larger numbers run later. */
  readonly priority?: number;
  /**
   * What becomes of a question that the client cannot ask its person: it waits for whoever else can answer, such as another
   * client of the same owner, or is answered with `cancel`. Default: `"cancel"` while a plain call waits, because nobody
   * else knows its task, otherwise `"wait"`.
   */
  readonly whenNobodyCanAnswer?: "wait" | "cancel";
  /** Whether repeated starts receive the task of the first one. `true` means `{}`. Default: `false`. */
  readonly unique?: boolean | UniqueOptions;
}

/** Which starts of an owner count as repeated. */
export interface UniqueOptions {
  /** Returns a text that is equal for repeated starts. Default: they have the same input. */
  readonly key?: (input: never) => string;
  /** How long after its end a COMPLETED task still counts, in ms: at most until 30 days after its start. Default: 0. */
  readonly for?: number;
}

/** What the code of a job returns: a value that its `output` schema accepts, or `content(…)` with such a value. */
export type Returned<Output extends Schema> = Accepted<Output> | Content<Accepted<Output>>;

/** The options of {@linkcode defineJob}. */
export interface JobDefinition<In extends Schema, Out extends Returned<Output>, Output extends Schema = Schema>
  extends JobPolicy {
  /** The name: at most 100 letters, digits, `_`, `-` and `.`. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What the job does, for the model that chooses among tools. */
  readonly description?: string;
  /** The schema of the input, an object: any Standard Schema that can become JSON Schema, or plain JSON Schema. */
  readonly input: In;
  /**
   * The schema of the result, likewise. Clients see it as the tool's output schema. The code returns a value of the type
   * that the schema accepts, or `content(…)` with such a value as its `structuredContent`; what the schema makes of the
   * value is stored: with defaults and transformations, and for a zod object without unknown fields.
   */
  readonly output?: Output;
  /** How the tool affects its environment. */
  readonly annotations?: JobAnnotations;
  /**
   * How long a question or a sleep keeps its worker before the task is parked, in ms. 0 parks at once, `Infinity` never.
   * Default: 10,000.
   */
  readonly parkAfter?: number;
  /**
   * What happens if the code calls another step than was recorded at that place, because the code has changed: `"fail"` ends
   * the task with a fault, `"rerun"` forgets the steps from there on and runs them again. Default: `"fail"`.
   */
  readonly onStepMismatch?: "fail" | "rerun";
  /** How many of its tasks run at once, over all workers on the same backend. Parked ones do not count. Default: no limit. */
  readonly concurrency?: number;
  /**
   * At most `max` runs begin within `per` ms, counted from the first one, over all workers on the same backend; retries and
   * parked tasks that go on count, too. Default: no limit.
   */
  readonly rateLimit?: { readonly max: number; readonly per: number };
  /**
   * The code. It returns any JSON value, or what the model is to see, as `content(…)`. Without it the job is a contract, and
   * workers elsewhere run it.
   */
  readonly run?: (input: Infer<In>, ctx: JobContext) => Out | Promise<Out>;
}

/** A defined job: the types of its code's input and result, and of the schema by which calls are validated. */
export interface Job<Input = unknown, Output = unknown, In extends Schema = Schema> {
  /** The name. */
  readonly name: string;
  /** A title for people. */
  readonly title?: string;
  /** What it does. */
  readonly description: string;
  /** The input schema as the user gave it. */
  readonly input: In;
  /** The input schema as JSON Schema. */
  readonly inputSchema: JsonSchema;
  /** The output schema as the user gave it. */
  readonly output?: Schema;
  /** The output schema as JSON Schema. */
  readonly outputSchema?: JsonSchema;
  /** How the tool affects its environment. */
  readonly annotations: JobAnnotations;
  /** How it is retried, limited in time and queued. */
  readonly policy: JobPolicy;
  /** How long a question or a sleep keeps its worker, in ms. */
  readonly parkAfter: number;
  /** What happens if its code calls another step than was recorded. */
  readonly onStepMismatch: "fail" | "rerun";
  /** How many of its tasks run at once, and how often they begin; absent: no limit. */
  readonly limits?: JobLimits;
  /** The code; absent on a contract. A method, so that jobs with different inputs fit into one list. */
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
export function defineJob<In extends Schema, Out extends Returned<Output>, Output extends Schema = Schema>(
  definition: JobDefinition<In, Out, Output>,
): Job<Infer<In>, Out, In> {
  checkOptions(`defineJob(${JSON.stringify(definition?.name)})`, definition, DEFINITION);
  const { name, title, description, input, output, annotations, run, ...rest } = definition;
  const { parkAfter = 10_000, onStepMismatch = "fail", concurrency, rateLimit, ...policy } = rest;
  const hasLimits = concurrency !== undefined || rateLimit !== undefined;
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
    parkAfter,
    onStepMismatch,
    ...(hasLimits && { limits: { concurrency, rateLimit } }),
    ...(run && { run }),
  };
}

/**
 * Adds the code to a contract, a job without `run`. This way a server imports only the contract, and its workers the code
 * with everything that it needs. Throws `DefinitionError` if the job has code already.
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
export function implement<Input, Output, Out extends Output, In extends Schema>(
  contract: Job<Input, Output, In>,
  run: (input: Input, ctx: JobContext) => Out | Promise<Out>,
): Job<Input, Out, In> {
  checkJob("implement", contract);
  const { name } = contract;
  if (contract.run) throw new DefinitionError(`Cannot implement ${name}: it has code. Leave \`run\` out of defineJob.`);
  if (typeof run !== "function") throw new DefinitionError(`Cannot implement ${name}: pass its code, a function.`);
  return { ...contract, run };
}

/** Throws `DefinitionError` unless a name, with a suffix, can name a tool (MCP specification 2025-11-25, "Tool Names"). */
export function checkName(name: string): void {
  if (typeof name !== "string" || !/^[A-Za-z0-9_.-]{1,100}$/.test(name)) {
    throw new DefinitionError(
      `Cannot use ${JSON.stringify(name)} as a name: it needs 1 to 100 letters, digits, "_", "-" and ".".`,
    );
  }
}

/** What is passed as a job. */
const JOB: Rule = {
  expected: "what defineJob has returned",
  fits: (value) => isObject(value) && "inputSchema" in value,
};

/** Throws `DefinitionError` unless this is a job; `of` names the function that takes it. */
export function checkJob(of: string, job: unknown): void {
  checkOptions(of, { job }, { job: required(JOB) });
}

/** A time after which a task is due: a `Date` must be able to say when that is. */
const WAIT: Rule = wholeNumber(0, LONGEST_WAIT_MS);

const BACKOFF: Rules<NonNullable<JobPolicy["backoff"]>> = { delay: WAIT, maxDelay: WAIT };

const UNIQUE: Rules<UniqueOptions> = { key: callback, for: wholeNumber(0, KEY_TTL_MS) };

/** What the options of a policy may be. */
export const POLICY: Rules<JobPolicy> = {
  attempts: wholeNumber(1),
  backoff: nested(BACKOFF),
  timeout: wholeNumber(1, LONGEST_TIMER_MS),
  delay: WAIT,
  priority: wholeNumber(0),
  whenNobodyCanAnswer: oneOf("wait", "cancel"),
  unique: either(flag, nested(UNIQUE)),
};

const RATE_LIMIT: Rules<NonNullable<JobLimits["rateLimit"]>> = {
  max: required(wholeNumber(1)),
  per: required(wholeNumber(1, LONGEST_TIMER_MS)),
};

const ANNOTATIONS: Rules<JobAnnotations> = {
  readOnlyHint: flag,
  destructiveHint: flag,
  idempotentHint: flag,
  openWorldHint: flag,
};

/** The rules of a definition; `checkName` and `toJsonSchema` validate the name and the schemas. */
export const DEFINITION: Rules<JobDefinition<Schema, unknown>> = {
  name: anything,
  title: text,
  description: text,
  input: anything,
  output: anything,
  annotations: nested(ANNOTATIONS),
  parkAfter: numberFrom(0),
  onStepMismatch: oneOf("fail", "rerun"),
  concurrency: wholeNumber(1),
  rateLimit: nested(RATE_LIMIT),
  run: callback,
  ...POLICY,
};

export function retryPolicy({ attempts = 3, backoff = {} }: JobPolicy): RetryPolicy {
  return { attempts, delay: backoff.delay ?? 1_000, maxDelay: backoff.maxDelay ?? 60_000 };
}
