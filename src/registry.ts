/**
 * What a server offers: each job under the name, and with the options, that it was registered with.
 *
 * @module
 */
import { DefinitionError } from "./errors.ts";
import { checkName, checkPolicy, type Job, type JobPolicy } from "./job.ts";

/** How a job is offered. What is absent comes from the job, or from the server's defaults. */
export interface RegisterOptions extends JobPolicy {
  /** The tool's name; default: the job's. */
  readonly name?: string;
  /** A title for people; default: the job's. */
  readonly title?: string;
  /** What the tool does; default: the job's. */
  readonly description?: string;
  /** Whether clients may cancel its tasks; default: the server's `defaultCancel`. */
  readonly cancel?: boolean;
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
}

/** Whether a job's tool may be called as a task, or must be. */
export type TaskSupport = "optional" | "required";

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
  /** How long a result is kept once the task is finished, in ms. */
  readonly resultTtl: number;
  /** Whether a client without tasks may call it. */
  readonly taskSupport: TaskSupport;
  /** What the person is asked for before there is a task. */
  readonly askFor: { readonly [field: string]: string };
  /** How its tasks are tried, timed and queued. */
  readonly policy: JobPolicy;
}

/**
 * The jobs of one server, by name.
 *
 * @example
 * ```ts
 * import { defineJob, ToolRegistry } from "@mcp-jobs/mcp-jobs";
 * const registry = new ToolRegistry();
 * const echo = defineJob({ name: "echo", input: { type: "object" }, run: (input) => input });
 * registry.register(echo, { cancel: false });
 * console.assert(registry.get("echo")?.cancel === false);
 * ```
 */
export class ToolRegistry {
  readonly #jobs = new Map<string, RegisteredJob>();

  /** Adds a job. Throws `DefinitionError` if its name is taken or cannot be a tool's. */
  register(job: Job, options: RegisterOptions = {}): RegisteredJob {
    const { name = job.name, title, description, ...rest } = options;
    const { cancel = true, resultTtl = 3_600_000, taskSupport = "optional", askFor = {}, ...policy } = rest;
    checkName(name);
    checkPolicy(name, policy);
    if (!Number.isSafeInteger(resultTtl) || resultTtl < 1) {
      throw new DefinitionError(
        `Cannot use resultTtl ${resultTtl} of ${name}: it must be a whole number of ms from 1.`,
      );
    }
    if (this.#jobs.has(name)) {
      throw new DefinitionError(`Cannot register ${name} twice: pass another \`name\` to registerAsyncTool.`);
    }
    const registered: RegisteredJob = {
      name,
      job,
      title: title ?? job.title,
      description: description ?? job.description,
      cancel,
      resultTtl,
      taskSupport,
      askFor,
      policy: { ...job.policy, ...policy },
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
