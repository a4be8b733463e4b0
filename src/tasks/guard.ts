/**
 * Stands before the tasks: keeps each owner within his limits, and tells the audit log what was done and refused.
 *
 * @module
 */
import { type Audit, type AuditEvent, LONGEST_REASON } from "./audit.ts";
import type { Backend } from "../backend.ts";
import {
  BackendError,
  InvalidInput,
  InvalidValue,
  JobFault,
  JobsError,
  LimitExceeded,
  TaskNotReady,
  Unavailable,
} from "../errors.ts";
import { MAX_VALUE_BYTES, toJson } from "../json.ts";
import { type Limits, RateLimit, withDefaults } from "./limits.ts";
import { withSource } from "./audit_source.ts";
import { OpenTasks } from "./open_tasks.ts";
import type { Json, TaskInfo } from "../task.ts";
import { cut } from "../text.ts";

/** What a guard goes by. */
export interface GuardOptions {
  /** What one owner may use. */
  readonly limits?: Limits;
  /** Hears what happens; default: nobody does. */
  readonly audit?: Audit;
}

/** Who asks for what. */
type Asked = Pick<AuditEvent, "operation" | "task" | "job"> & { readonly owner: string };

/** What came of it. */
type Told = Pick<AuditEvent, "event" | "task" | "job" | "reason">;

/** The limits and the audit log of one server. */
export class Guard implements Disposable {
  readonly #limits: Required<Limits>;
  readonly #audit: Audit;
  readonly #now: () => number;
  readonly #creations: RateLimit;
  readonly #reads: RateLimit;
  readonly #open: OpenTasks;

  constructor(backend: Pick<Backend, "list" | "watch">, { limits, audit = () => {} }: GuardOptions, now: () => number) {
    this.#limits = withDefaults(limits);
    this.#audit = withSource(audit);
    this.#now = now;
    this.#creations = new RateLimit(this.#limits.creationsPerMinute);
    this.#reads = new RateLimit(this.#limits.readsPerMinute);
    this.#open = new OpenTasks(backend, this.#limits.openTasks, now);
  }

  /**
   * Counts a creation, and gives its input as JSON, before anybody looks at what is in it. Throws `LimitExceeded`, and
   * `InvalidValue` for what is no JSON.
   */
  admit(owner: string, input: unknown, ttl?: number): Json {
    const wait = this.#creations.take(owner, this.#now());
    if (wait > 0) throw tooOften("creationsPerMinute", "start a task", this.#limits.creationsPerMinute, wait);
    const json = toJson(input, "the input");
    this.#checkSizes(json, ttl);
    return json;
  }

  /** Lets a task be stored, or rejects with `LimitExceeded`. */
  async create({ id, owner }: Pick<TaskInfo, "id" | "owner">, store: () => Promise<TaskInfo>): Promise<TaskInfo> {
    if (!await this.#open.reserve(owner, id)) {
      const { openTasks } = this.#limits;
      throw new LimitExceeded(
        "openTasks",
        `Cannot start a task: ${openTasks} of yours are not finished, and that is the most. Wait for one, or cancel one.`,
      );
    }
    try {
      return await store();
    } catch (error) {
      this.#open.release(owner, id);
      throw error;
    }
  }

  /** Counts a reading, or throws `LimitExceeded`. */
  read(owner: string): void {
    const wait = this.#reads.take(owner, this.#now());
    if (wait > 0) throw tooOften("readsPerMinute", "read", this.#limits.readsPerMinute, wait);
  }

  /** Does what was asked for. A refusal is told to the audit log; what was done is told where `done` names it. */
  async audited<T>(
    asked: Asked,
    act: () => Promise<T>,
    done?: (result: T) => Told,
  ): Promise<T> {
    try {
      const result = await act();
      if (done) this.#tell(asked, done(result));
      return result;
    } catch (error) {
      if (isRefusal(error)) this.refuse(asked, reasonOf(error, asked));
      throw error;
    }
  }

  /** Tells the audit log of a refusal. */
  refuse(asked: Asked, reason: string): void {
    this.#tell(asked, { event: "refused", reason: cut(reason, LONGEST_REASON) });
  }

  #tell({ owner, task, ...asked }: Asked, what: Told): void {
    const named = task === undefined ? {} : { task: task.slice(0, 64) };
    this.#audit({ at: new Date(this.#now()).toISOString(), principal: owner, ...asked, ...named, ...what });
  }

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]();
  }

  #checkSizes(input: Json, ttl: number | undefined): void {
    const { ttl: maxTtl, inputBytes } = this.#limits;
    if (ttl !== undefined && ttl > maxTtl) {
      throw new LimitExceeded(
        "ttl",
        `Cannot keep a result for ${ttl} ms: ${maxTtl} ms is the most. Ask for a shorter ttl.`,
      );
    }
    // More than can be stored is the backend's to refuse.
    if (inputBytes >= MAX_VALUE_BYTES) return;
    const bytes = new TextEncoder().encode(JSON.stringify(input)).length;
    if (bytes > inputBytes) {
      throw new LimitExceeded("inputBytes", `Cannot take an input of ${bytes} bytes: ${inputBytes} is the most.`);
    }
  }
}

const NO_REFUSAL = [BackendError, TaskNotReady, Unavailable, JobFault];

/** Whether the caller was told no; not whether something of ours failed, or he was merely too early. */
function isRefusal(error: unknown): error is JobsError {
  return error instanceof JobsError && !NO_REFUSAL.some((kind) => error instanceof kind);
}

/** Why a caller was refused, without what he gave: that is not for the log. */
function reasonOf(error: JobsError, { operation }: Asked): string {
  if (error instanceof InvalidInput) return `Invalid ${error.what}: it does not fit the schema.`;
  if (error instanceof InvalidValue && operation === "create") {
    return "The input is no JSON, or too large to be stored.";
  }
  return error.message;
}

function tooOften(limit: string, what: string, perMinute: number, wait: number): LimitExceeded {
  const seconds = Math.ceil(wait / 1_000);
  return new LimitExceeded(
    limit,
    `Cannot ${what}: ${perMinute} times a minute is the most. Try again in ${seconds} s.`,
    wait,
  );
}
