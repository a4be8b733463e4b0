/**
 * Reads how tasks ended. Large results are read page by page, so a large one is kept for a moment after each read. One
 * that came with the event of a task's end is kept for calls that wait for it.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import { InvalidInput, InvalidValue } from "../errors.ts";
import { measured } from "../json.ts";
import { remember } from "../recent.ts";
import { type Schema, validateOutput } from "../schema/schema.ts";
import type { Outcome, TaskInfo } from "../task.ts";

/** The shortest result that is kept, in characters of JSON: smaller ones have few pages. */
const LARGE_CHARACTERS = 50_000;

/** The most characters that are kept in all: one result of the largest size, or several smaller ones. */
const MAX_CHARACTERS = 20_000_000;

/** How long a result is kept after its last read, in ms. */
const CACHE_MS = 10_000;

/** How many outcomes that came with events are kept until they are read. */
const MAX_FROM_EVENTS = 256;

/**
 * How long such an outcome is used, in ms: calls that wait for the end read it at once. Later the task may have another one,
 * because an operator of BullMQ can run a finished job again by hand.
 */
const FRESH_MS = 1_000;

interface CachedOutcome {
  readonly outcome: Outcome;
  readonly owner: string;
  readonly length: number;
}

/** Reads outcomes. Callers have read the task just before, so a kept outcome is never that of a deleted task. */
export class Outcomes implements Disposable {
  readonly #backend: Pick<Backend, "outcome" | "watch">;
  readonly #schemaOf: (job: string) => Schema | undefined;
  readonly #onRead: (owner: string, characters: number) => void;
  /** By the id of the task; the one that was read last is at the end. */
  readonly #cache = new Map<string, CachedOutcome>();
  /** The outcomes that came with the events of ends, by the id of the task. */
  readonly #fromEvents = new Map<string, { readonly outcome: Outcome; readonly owner: string; readonly at: number }>();
  readonly #now: () => number;
  readonly #unsubscribe: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * `schemaOf` gives the output schema of a job whose workers may not have validated what it has returned. `onRead` learns
   * how many characters of an outcome the store had to read. `now` is a clock that is never set back, in ms.
   */
  constructor(
    backend: Pick<Backend, "outcome" | "watch">,
    schemaOf: (job: string) => Schema | undefined,
    onRead: (owner: string, characters: number) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#backend = backend;
    this.#schemaOf = schemaOf;
    this.#onRead = onRead;
    this.#now = now;
    this.#unsubscribe = backend.watch((event) => {
      if (event.kind !== "change" || event.outcome === undefined) return;
      const { outcome, task: { id, owner } } = event;
      remember(this.#fromEvents, id, { outcome, owner, at: this.#now() }, MAX_FROM_EVENTS);
    });
  }

  /** Reads an outcome, as well-formed text and as the job's schema promises it. Rejects as `Backend.outcome`. */
  async read({ id, owner, job }: Pick<TaskInfo, "id" | "owner" | "job">): Promise<Outcome> {
    const known = this.#cache.get(id);
    if (known?.owner === owner) {
      this.#remember(id, known);
      return known.outcome;
    }
    const fresh = this.#takeFresh(id, owner);
    const { value, length } = measured(fresh ?? await this.#backend.outcome(id, owner));
    if (fresh === undefined) this.#onRead(owner, length);
    const outcome = await this.#asPromised(job, value);
    if (length >= LARGE_CHARACTERS && length <= MAX_CHARACTERS) this.#remember(id, { outcome, owner, length });
    return outcome;
  }

  /** Forgets all that is kept. */
  [Symbol.dispose](): void {
    this.#unsubscribe();
    clearTimeout(this.#timer);
    this.#cache.clear();
    this.#fromEvents.clear();
  }

  /** Takes the outcome that came with an event a moment ago. */
  #takeFresh(id: string, owner: string): Outcome | undefined {
    const received = this.#fromEvents.get(id);
    if (received?.owner !== owner) return undefined;
    this.#fromEvents.delete(id);
    return this.#now() - received.at < FRESH_MS ? received.outcome : undefined;
  }

  #remember(id: string, kept: CachedOutcome): void {
    this.#cache.delete(id);
    this.#cache.set(id, kept);
    let length = this.#cache.values().reduce((sum, one) => sum + one.length, 0);
    for (const [oldest, one] of this.#cache) {
      if (length <= MAX_CHARACTERS) break;
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
