/**
 * Checks the limits of each owner before anything is done with a task, and writes the audit log.
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
import { fromSource, withSource } from "./audit_source.ts";
import { OpenTasks } from "./open_tasks.ts";
import type { Json, TaskInfo } from "../task.ts";
import { countStoreError } from "../telemetry/metrics.ts";
import { byteLength, cut } from "../text.ts";

/** How many characters of a result count as one more read. */
const CHARACTERS_OF_ONE = 64 * 1024;

export interface GuardOptions {
  readonly limits?: Limits;
  /** Receives the events of the audit log. Default: nobody does. */
  readonly audit?: Audit;
  /** Whether somebody receives them now. Default: if there is an `audit`. */
  readonly isAudited?: () => boolean;
}

type AuditedRequest = Pick<AuditEvent, "operation" | "task" | "job"> & { readonly owner: string };

/** Its result, as the audit log has it. */
type AuditedResult = Pick<AuditEvent, "event" | "task" | "job" | "reason" | "question" | "action" | "answeredBy">;

/** The limits and the audit log of one server. */
export class Guard implements Disposable {
  readonly #limits: Required<Limits>;
  readonly #audit: Audit;
  readonly #isAudited: () => boolean;
  readonly #now: () => number;
  readonly #creations: RateLimit;
  readonly #reads: RateLimit;
  readonly #open: OpenTasks;

  constructor(backend: Pick<Backend, "list" | "watch">, options: GuardOptions, now: () => number) {
    const { limits, audit, isAudited = () => audit !== undefined } = options;
    this.#limits = withDefaults(limits);
    this.#audit = withSource(audit ?? (() => {}));
    this.#isAudited = isAudited;
    this.#now = now;
    this.#creations = new RateLimit(this.#limits.creationsPerMinute);
    this.#reads = new RateLimit(this.#limits.readsPerMinute);
    this.#open = new OpenTasks(backend, this.#limits.openTasks, now);
  }

  /**
   * Counts a creation, and returns its input as JSON, before the input is validated. Throws `LimitExceeded`, and
   * `InvalidValue` if the input is not JSON.
   */
  admit(owner: string, input: unknown, ttl?: number): Json {
    const wait = this.#creations.take(owner, this.#now());
    if (wait > 0) throw tooOften("creationsPerMinute", "start a task", this.#limits.creationsPerMinute, wait);
    const json = toJson(input, "the input");
    this.#checkSizes(json, ttl);
    return json;
  }

  /**
   * Stores a task with `store`, which calls `admit` unless it finds the task of an earlier start. Rejects with `LimitExceeded`
   * if the owner has too many tasks that are not finished.
   */
  async create(
    { id, owner }: Pick<TaskInfo, "id" | "owner">,
    store: (admit: () => Promise<void>) => Promise<TaskInfo>,
  ): Promise<TaskInfo> {
    try {
      const task = await store(() => this.#reserve(owner, id));
      if (task.id !== id) this.#open.release(owner, id); // Another start was faster.
      return task;
    } catch (error) {
      this.#open.release(owner, id);
      throw error;
    }
  }

  /** Counts a read, or throws `LimitExceeded`. */
  read(owner: string): void {
    const wait = this.#reads.take(owner, this.#now());
    if (wait > 0) throw tooOften("readsPerMinute", "read", this.#limits.readsPerMinute, wait);
  }

  /** Counts a read of so many characters as one more for each 64 Ki of them: reading and writing them takes time. */
  chargeRead(owner: string, characters: number): void {
    this.#reads.charge(owner, Math.floor(characters / CHARACTERS_OF_ONE), this.#now());
  }

  /** Serves a request. The audit log gets a refusal, and a success if `done` returns its events. */
  async audited<T>(
    request: AuditedRequest,
    act: () => Promise<T>,
    done?: (result: T) => AuditedResult | readonly AuditedResult[],
  ): Promise<T> {
    try {
      const result = await act();
      for (const event of done ? [done(result)].flat() : []) this.#write(request, event);
      return result;
    } catch (error) {
      if (error instanceof BackendError) countStoreError(request.operation);
      if (isRefusal(error)) this.refuse(request, reasonOf(error, request));
      throw error;
    }
  }

  /** Whether somebody receives the events of the audit log. */
  get isAudited(): boolean {
    return this.#isAudited();
  }

  /** Writes to the audit log that nobody has answered a question in time. */
  expired({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">, question: string): void {
    fromSource({}, () => this.#write({ operation: "answer", owner, task: id, job }, { event: "expired", question }));
  }

  refuse(request: AuditedRequest, reason: string): void {
    this.#write(request, { event: "refused", reason: cut(reason, LONGEST_REASON) });
  }

  #write({ owner, task, ...request }: AuditedRequest, what: AuditedResult): void {
    const named = task === undefined ? {} : { task: task.slice(0, 64) };
    this.#audit({ at: new Date(this.#now()).toISOString(), principal: owner, ...request, ...named, ...what });
  }

  [Symbol.dispose](): void {
    this.#open[Symbol.dispose]();
  }

  async #reserve(owner: string, id: string): Promise<void> {
    if (await this.#open.reserve(owner, id)) return;
    const { openTasks } = this.#limits;
    throw new LimitExceeded(
      "openTasks",
      `Cannot start a task: ${openTasks} of yours are not finished, and that is the most. Wait for one, or cancel one.`,
    );
  }

  #checkSizes(input: Json, ttl: number | undefined): void {
    const { ttl: maxTtl, inputBytes } = this.#limits;
    if (ttl !== undefined && ttl > maxTtl) {
      throw new LimitExceeded(
        "ttl",
        `Cannot keep a result for ${ttl} ms: ${maxTtl} ms is the most. Ask for a shorter ttl.`,
      );
    }
    // The backend refuses what is too large to be stored.
    if (inputBytes >= MAX_VALUE_BYTES) return;
    const bytes = byteLength(JSON.stringify(input));
    if (bytes > inputBytes) {
      throw new LimitExceeded(
        "inputBytes",
        `Cannot take an input of ${bytes} bytes: ${inputBytes} is the most. Send a shorter one.`,
      );
    }
  }
}

const NO_REFUSAL = [BackendError, TaskNotReady, Unavailable, JobFault];

/** Whether the request was refused, rather than failed on our side, or merely came too early. */
function isRefusal(error: unknown): error is JobsError {
  return error instanceof JobsError && !NO_REFUSAL.some((kind) => error instanceof kind);
}

/** Why a request was refused, without the caller's input, which does not belong in the log. */
function reasonOf(error: JobsError, { operation }: AuditedRequest): string {
  if (error instanceof InvalidInput) return `Invalid ${error.what}: it does not fit the schema.`;
  if (error instanceof InvalidValue && operation === "create") {
    return "The input is not JSON, or too large to be stored.";
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
