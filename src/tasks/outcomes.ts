/**
 * Reads how tasks ended. Large results are read page by page, so a large one is kept for a moment after each read.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { InvalidInput, InvalidValue } from "../errors.ts";
import { measured } from "../json.ts";
import { type Schema, validateOutput } from "../schema/schema.ts";
import type { Outcome, TaskInfo } from "../task.ts";

/** The shortest result that is kept, in characters of JSON: smaller ones have few pages. */
const LARGE = 50_000;

/** The most characters that are kept in all: one result of the largest size, or several smaller ones. */
const MOST = 20_000_000;

/** How long a result is kept after its last read, in ms. */
const CACHE_MS = 10_000;

interface CachedOutcome {
  readonly outcome: Outcome;
  readonly owner: string;
  readonly length: number;
}

/** Reads outcomes. Callers have read the task just before, so a kept outcome is never that of a deleted task. */
export class Outcomes implements Disposable {
  readonly #backend: Pick<Backend, "outcome">;
  readonly #schemaOf: (job: string) => Schema | undefined;
  /** By the id of the task; the one that was read last is at the end. */
  readonly #cache = new Map<string, CachedOutcome>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `schemaOf` gives the output schema of a job whose workers may not have validated what it has returned. */
  constructor(backend: Pick<Backend, "outcome">, schemaOf: (job: string) => Schema | undefined) {
    this.#backend = backend;
    this.#schemaOf = schemaOf;
  }

  /** Reads an outcome, as well-formed text and as the job's schema promises it. Rejects as `Backend.outcome`. */
  async read({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): Promise<Outcome> {
    const known = this.#cache.get(id);
    if (known?.owner === owner) {
      this.#remember(id, known);
      return known.outcome;
    }
    const { value, length } = measured(await this.#backend.outcome(id, owner));
    const outcome = await this.#asPromised(job, value);
    if (length >= LARGE && length <= MOST) this.#remember(id, { outcome, owner, length });
    return outcome;
  }

  /** Forgets all that is kept. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#cache.clear();
  }

  #remember(id: string, kept: CachedOutcome): void {
    this.#cache.delete(id);
    this.#cache.set(id, kept);
    let length = this.#cache.values().reduce((sum, one) => sum + one.length, 0);
    for (const [oldest, one] of this.#cache) {
      if (length <= MOST) break;
      this.#cache.delete(oldest);
      length -= one.length;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#cache.clear(), CACHE_MS);
    Deno.unrefTimer(this.#timer);
  }

  /**
   * Clients know the output schema, and refuse results that do not fit it. Our own workers have validated theirs; the
   * workers of another queue have not.
   */
  async #asPromised(job: string, outcome: Outcome): Promise<Outcome> {
    const schema = this.#schemaOf(job);
    if (outcome.kind !== "value" || schema === undefined) return outcome;
    try {
      return { ...outcome, value: await validateOutput(schema, outcome.value, job) };
    } catch (error) {
      if (!(error instanceof InvalidInput || error instanceof InvalidValue)) throw error;
      return { kind: "tool_error", message: error.message };
    }
  }
}
