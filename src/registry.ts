/**
 * What a server offers: each job under the name, and with the options, that it was registered with.
 *
 * @module
 */
import { questionsFor } from "./questions/input_fields.ts";
import type { Route } from "./backend.ts";
import { DefinitionError } from "./errors.ts";
import { checkName, type Job, type JobPolicy, POLICY } from "./job.ts";
import { checkOptions, flag, namedTexts, oneOf, type Rules, text, wholeNumber } from "./options.ts";
import type { Question } from "./task.ts";

/** How a job is offered. What is absent comes from the job, or from the server's defaults. */
export interface RegisterOptions extends JobPolicy {
  /** The tool's name; default: the job's. */
  readonly name?: string;
  /** A title for people; default: the job's. */
  readonly title?: string;
  /** What the tool does; default: the job's. */
  readonly description?: string;
  /** Whether clients may cancel its tasks; default: the server's `defaultCancel`. The same under all names of a job. */
  readonly cancel?: boolean;
  /**
   * Whether a plain call whose connection is gone cancels its task. Default: over stdio as `cancel` says, because nobody
   * else can read the task; over HTTP `false`, because a client whose time ran out closes its stream, too.
   */
  readonly cancelOnDisconnect?: boolean;
  /**
   * How long a call waits before it returns a handle, in ms; default: as the strategy says. Only
   * `AdaptiveExposureStrategy` has handles.
   */
  readonly answerWithin?: number;
  /** How long a result is kept once the task is finished, in ms; default 3,600,000, one hour. */
  readonly resultTtl?: number;
  /**
   * Whether a client without tasks may call it, and wait; default `"optional"`. `"required"` refuses such a client, where
   * the strategy has tasks.
   */
  readonly taskSupport?: TaskSupport;
  /**
   * What the person in front of the client is asked for before there is a task, where a call lacks it: the question to
   * ask, by the name of the input's field.
   */
  readonly askFor?: { readonly [field: string]: string };
  /** The BullMQ queue whose workers run the job, where that is not the one of the job's name. The job has no `run` then. */
  readonly queue?: string;
  /** The name under which the workers of `queue` know the job; default: the job's. */
  readonly jobName?: string;
}

/** Whether a job's tool may be called as a task, or must be. */
export type TaskSupport = "optional" | "required";

/** What the options of a registration may be. */
export const REGISTRATION: Rules<RegisterOptions> = {
  name: text,
  title: text,
  description: text,
  cancel: flag,
  cancelOnDisconnect: flag,
  answerWithin: wholeNumber(0),
  resultTtl: wholeNumber(1),
  taskSupport: oneOf("optional", "required"),
  askFor: namedTexts,
  queue: text,
  jobName: text,
  ...POLICY,
};

/** A job as it is offered. */
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
  /** How long a result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
  /** Whether a client without tasks may call it. */
  readonly taskSupport: TaskSupport;
  /** What the person is asked for before there is a task, where a call lacks it; the key is the field of the input. */
  readonly askFor: readonly Question[];
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
   * Adds a job. Throws `DefinitionError` if its name is taken or cannot be a tool's, an option is bad, or the job stands
   * here already with another `cancel`.
   */
  register(job: Job, options: RegisterOptions = {}): RegisteredJob {
    checkOptions(`registerAsyncTool(${JSON.stringify(job.name)})`, options, REGISTRATION);
    const { name = job.name, title, description, ...rest } = options;
    const {
      cancel = true,
      cancelOnDisconnect,
      answerWithin,
      resultTtl = 3_600_000,
      taskSupport = "optional",
      ...others
    } = rest;
    const { askFor = {}, queue, jobName, ...policy } = others;
    checkName(name);
    if (this.#jobs.has(name)) {
      throw new DefinitionError(`Cannot register ${name} twice: pass another \`name\` to registerAsyncTool.`);
    }
    const other = this.list().find((one) => one.job.name === job.name && one.cancel !== cancel);
    if (other !== undefined) {
      throw new DefinitionError(
        `Cannot register ${name} with \`cancel: ${cancel}\`: ${other.name} has the same job with \`cancel: ` +
          `${other.cancel}\`, and tasks know only their job. Give both the same.`,
      );
    }
    const registered: RegisteredJob = {
      name,
      job,
      title: title ?? job.title,
      description: description ?? job.description,
      cancel,
      cancelOnDisconnect,
      answerWithin,
      resultTtl,
      taskSupport,
      askFor: questionsFor(name, job.inputSchema, askFor),
      policy: { ...job.policy, ...onlyGiven(policy) },
      route: routeOf(name, job, queue, jobName),
    };
    this.#jobs.set(name, registered);
    return registered;
  }

  /** The job with this name. */
  get(name: string): RegisteredJob | undefined {
    return this.#jobs.get(name);
  }

  /** All jobs, in the order of their registration. */
  list(): readonly RegisteredJob[] {
    return [...this.#jobs.values()];
  }
}

/** An option that is `undefined` says nothing, as one that is absent. */
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
    throw new DefinitionError(`Cannot use the queue ${JSON.stringify(queue)} of ${name}: BullMQ names have no ":".`);
  }
  return { queue, jobName };
}
