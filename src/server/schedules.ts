/**
 * The schedules of a server, from their declaration to the end of the server.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { DefinitionError } from "../errors.ts";
import type { Job } from "../job.ts";
import { reporterOf } from "../log/on_error.ts";
import { ToolRegistry } from "../registry.ts";
import { declare, type Declared, type ScheduleOptions } from "../schedules/declare.ts";
import { Scheduler, type SchedulerOptions } from "../schedules/scheduler.ts";
import type { Audit } from "../tasks/audit.ts";
import type { ServerOptions } from "./options.ts";

/** What a server has declared. */
export class Schedules implements AsyncDisposable {
  readonly #backend: Backend;
  readonly #registry: ToolRegistry;
  readonly #options: SchedulerOptions;
  readonly #declared = new Map<string, Declared>();
  readonly #checks: Promise<void>[] = [];
  #scheduler: Scheduler | undefined;
  #closed = false;

  constructor({ backend, onError }: Pick<ServerOptions, "backend" | "onError">, registry: ToolRegistry, audit: Audit) {
    this.#backend = backend;
    this.#registry = registry;
    this.#options = { audit, onError: reporterOf(onError) };
  }

  /** Declares a schedule, and validates its input. */
  async add(job: Job, options: ScheduleOptions): Promise<void> {
    const schedule = declare(job, options);
    const { name } = schedule;
    if (this.#declared.has(name)) {
      throw new DefinitionError(`Cannot schedule ${name} twice: pass another \`name\` to schedule.`);
    }
    this.#declared.set(name, schedule);
    const check = schedule.check();
    this.#checks.push(check);
    await check;
  }

  get jobs(): readonly Job[] {
    return [...this.#declared.values()].map(({ job }) => job);
  }

  /** Resolves once the inputs of all schedules are validated. Rejects if one does not fit. */
  async checked(): Promise<void> {
    await Promise.all(this.#checks);
  }

  /** Begins to create tasks, once `after` resolves, which never rejects. */
  start(after: Promise<void> = Promise.resolve()): void {
    if (this.#declared.size === 0 || this.#scheduler) return;
    after.then(() => this.#start()).catch((error) => this.#options.onError(error, { where: "start the schedules" }));
  }

  /** Creates no more tasks. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await this.#scheduler?.[Symbol.asyncDispose]();
  }

  #start(): void {
    if (this.#closed || this.#scheduler) return;
    const schedules = [...this.#declared.values()].map(({ job, ...schedule }) => ({
      ...schedule,
      registered: this.#registry.list().find((one) => one.job.name === job.name) ?? new ToolRegistry().register(job),
    }));
    this.#scheduler = new Scheduler(this.#backend, schedules, this.#options);
  }
}
