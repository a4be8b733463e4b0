/**
 * The jobs that a server offers, each with the name and options of its registration.
 *
 * @module
 */
import { questionsFor } from "./questions/input_fields.ts";
import type { Route } from "./backend.ts";
import { DefinitionError } from "./errors.ts";
import { checkPerCall, PER_CALL, type PerCallField } from "./schema/per_call.ts";
import { checkJob, checkName, type Job, type JobPolicy, POLICY } from "./job.ts";
import { checkOptions, flag, namedTexts, oneOf, type Rule, type Rules, text, wholeNumber } from "./options.ts";
import type { Question } from "./task.ts";

/** How a job is offered. Absent options come from the job, or from the server's defaults. */
export interface RegistryOptions extends JobPolicy {
  /** The tool's name. Default: the job's. */
  readonly name?: string;
  /** A title for people. Default: the job's. */
  readonly title?: string;
  /** What the tool does. Default: the job's. */
  readonly description?: string;
  /** Whether clients may cancel its tasks; must be the same for all names of a job. Default: the server's `defaultCancel`. */
  readonly cancel?: boolean;
  /**
   * Whether a plain call cancels its task when its connection is lost. Default: over stdio as `cancel` says, because nobody
   * else can read the task; over HTTP `false`, because clients also close the stream when their own time limit is over.
   */
  readonly cancelOnDisconnect?: boolean;
  /**
   * How long a call waits before it returns a handle, in ms, for `AdaptiveExposureStrategy`, and how long `task_status`
   * waits at most; with 0, that waits as the strategy says. Default: that of the strategy.
   */
  readonly answerWithin?: number;
  /** The largest answer with a result, in bytes, from 8,000 to 780,000. Default: the server's `inlineBytes`. */
  readonly inlineBytes?: number;
  /** How long a result is kept after the task has finished, in ms. Default: 3,600,000, one hour. */
  readonly resultTtl?: number;
  /**
   * Whether a client without tasks may call it and wait. `"required"` refuses such clients, if the strategy offers tasks.
   * Default: `"optional"`.
   */
  readonly taskSupport?: TaskSupport;
  /**
   * Fields of the input for which the person is asked before there is a task, if a call lacks them: the question for each
   * field, by its name.
   */
  readonly askFor?: { readonly [field: string]: string };
  /**
   * What a call may set for its task, with fields that the tool's input schema has beside those of the job: `startAt`, an ISO
   * 8601 date and time with a time zone, at most 365 days ahead, and `priority`, 0 (the most urgent) to 1,000. They never reach
   * the job, and do not count where starts are compared, as by `unique`. Default: neither.
   */
  readonly perCall?: readonly PerCallField[];
  /**
   * Who may answer what its tasks ask. `"model"` adds the tool `task_answer`, with which the model of a client that cannot
   * ask its person passes on what they said in the chat; nobody can verify that they did. Must be the same for all names of
   * a job, as `whenNobodyCanAnswer`. `BlockingExposureStrategy` refuses it. Default: `"person"`.
   */
  readonly answers?: "person" | "model";
  /** The BullMQ queue whose workers run the job, if its name is not that of the job. The job must have no `run` then. */
  readonly queue?: string;
  /** The name by which the workers of `queue` know the job. Default: the job's. */
  readonly jobName?: string;
}

/** Whether a job's tool may be called as a task, or must be. */
export type TaskSupport = "optional" | "required";

/** The largest answer with a result where nothing else is said, in bytes. */
export const DEFAULT_INLINE_BYTES = 100_000;

/** The rule of `inlineBytes`. Less has no room for what is said about a larger result, and more does not fit into a message. */
export const INLINE_BYTES: Rule = wholeNumber(8_000, 780_000);

export const REGISTRATION: Rules<RegistryOptions> = {
  name: text,
  title: text,
  description: text,
  cancel: flag,
  cancelOnDisconnect: flag,
  answerWithin: wholeNumber(0),
  inlineBytes: INLINE_BYTES,
  resultTtl: wholeNumber(1),
  taskSupport: oneOf("optional", "required"),
  askFor: namedTexts,
  perCall: PER_CALL,
  answers: oneOf("person", "model"),
  queue: text,
  jobName: text,
  ...POLICY,
};

/** A job with the options of its registration. */
export interface RegisteredJob {
  /** The tool's name. */
  readonly name: string;
  /** The job behind it. */
  readonly job: Job;
  /** A title for people. */
  readonly title?: string;
  /** What the tool does. */
  readonly description: string;
  /** Whether clients may cancel its tasks. */
  readonly cancel: boolean;
  /** Whether a plain call whose connection is gone cancels its task; `undefined`: as the transport does. */
  readonly cancelOnDisconnect?: boolean;
  /** How long a call waits before it returns a handle, in ms; `undefined`: as the strategy says. */
  readonly answerWithin?: number;
  /** The largest answer with a result, in bytes. */
  readonly inlineBytes: number;
  /** How long a result is kept after the task has finished, in ms. */
  readonly resultTtl: number;
  /** Whether a client without tasks may call it. */
  readonly taskSupport: TaskSupport;
  /** What the person is asked for before there is a task, where a call lacks it; the key is the field of the input. */
  readonly askFor: readonly Question[];
  /** What a call may set for its task. */
  readonly perCall: readonly PerCallField[];
  /** Who may answer what its tasks ask. */
  readonly answers: "person" | "model";
  /** How its tasks are tried, timed and queued. */
  readonly policy: JobPolicy;
  /** Where its tasks are queued, if not in the job's own queue. */
  readonly route?: Route;
}

/**
 * The jobs of one server, by name.
 *
 * @example
 * ```ts
 * import { defineJob } from "@mcp-jobs/mcp-jobs";
 * import { ToolRegistry } from "@mcp-jobs/mcp-jobs/strategy";
 * const registry = new ToolRegistry();
 * const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
 * registry.register(echo, { cancel: false });
 * console.assert(registry.get("echo")?.cancel === false);
 * ```
 */
export class ToolRegistry {
  readonly #jobs = new Map<string, RegisteredJob>();

  /**
   * Adds a job. Throws `DefinitionError` if its name is taken or cannot name a tool, an option cannot be used, its input has
   * a field of `perCall`, or the job is registered already with another `cancel`, `answers` or `whenNobodyCanAnswer`.
   */
  register(job: Job, options: RegistryOptions = {}): RegisteredJob {
    checkJob("registerAsyncTool", job);
    checkOptions(`registerAsyncTool(${JSON.stringify(job.name)})`, options, REGISTRATION);
    const { name = job.name, title, description, ...rest } = options;
    const {
      cancel = true,
      cancelOnDisconnect,
      answerWithin,
      inlineBytes = DEFAULT_INLINE_BYTES,
      resultTtl = 3_600_000,
      taskSupport = "optional",
      ...others
    } = rest;
    const { askFor = {}, perCall = [], answers = "person", queue, jobName, ...given } = others;
    const policy = { ...job.policy, ...onlyGiven(given) };
    checkName(name);
    checkPerCall(name, job.inputSchema, perCall);
    if (this.#jobs.has(name)) {
      throw new DefinitionError(`Cannot register ${name} twice: pass another \`name\` to registerAsyncTool.`);
    }
    this.#refuseOther(name, job, "cancel", cancel, (one) => one.cancel);
    this.#refuseOther(name, job, "answers", answers, (one) => one.answers);
    const nobody = policy.whenNobodyCanAnswer;
    this.#refuseOther(name, job, "whenNobodyCanAnswer", nobody, (one) => one.policy.whenNobodyCanAnswer);
    const registered: RegisteredJob = {
      name,
      job,
      title: title ?? job.title,
      description: description ?? job.description,
      cancel,
      cancelOnDisconnect,
      answerWithin,
      inlineBytes,
      resultTtl,
      taskSupport,
      askFor: questionsFor(name, job.inputSchema, askFor),
      perCall,
      answers,
      policy,
      route: routeOf(name, job, queue, jobName),
    };
    this.#jobs.set(name, registered);
    return registered;
  }

  /** Throws `DefinitionError` if the job is registered already with another value of an option that its tasks need. */
  #refuseOther<T>(name: string, job: Job, option: string, value: T, of: (registered: RegisteredJob) => T): void {
    const other = this.list().find((one) => one.job.name === job.name && of(one) !== value);
    if (other === undefined) return;
    throw new DefinitionError(
      `Cannot register ${name} with \`${option}: ${value}\`: ${other.name} has the same job with \`${option}: ` +
        `${of(other)}\`, and a task only knows its job. Use the same for both.`,
    );
  }

  /** The job with this name. */
  get(name: string): RegisteredJob | undefined {
    return this.#jobs.get(name);
  }

  /** All jobs, in the order of registration. */
  list(): readonly RegisteredJob[] {
    return [...this.#jobs.values()];
  }
}

/** Removes options that are `undefined`, which count as absent. */
function onlyGiven(policy: JobPolicy): JobPolicy {
  return Object.fromEntries(Object.entries(policy).filter(([, value]) => value !== undefined));
}

function routeOf(name: string, job: Job, queue?: string, jobName: string = job.name): Route | undefined {
  if (queue === undefined) {
    if (jobName === job.name) return undefined;
    throw new DefinitionError(`Cannot use jobName ${jobName} of ${name} without \`queue\`, the queue of its workers.`);
  }
  if (job.run) {
    throw new DefinitionError(
      `Cannot send ${name} to the queue ${queue}: its job has code, which would not run. Leave \`run\` out of defineJob.`,
    );
  }
  if (queue === "" || queue.includes(":")) {
    const rule = 'it must not be empty, and BullMQ allows no ":" in it';
    throw new DefinitionError(`Cannot use the queue ${JSON.stringify(queue)} of ${name}: ${rule}.`);
  }
  return { queue, jobName };
}
