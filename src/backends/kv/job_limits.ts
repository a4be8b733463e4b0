/**
 * Which tasks of jobs with limits have begun: one key for each job, which each claim checks and rewrites. The records of the
 * listed tasks say which are still held, so the write that ends, parks or hands back a task also frees its slot.
 *
 * @module
 */
import type { JobLimits } from "../../backend.ts";
import { capacityOf, EMPTY_WINDOW, type RateWindow, withClaim } from "../shared/job_limits.ts";
import type { Write } from "./committer.ts";
import { limitKey, taskKey } from "./keys.ts";
import { readAll, reading } from "./reading.ts";
import type { KvEntry, StoredTask } from "./stored.ts";

/** What the key of a job holds. */
interface Stored extends RateWindow {
  /** The owner and id of each task that may still be held. */
  readonly claimed: readonly (readonly [owner: string, id: string])[];
}

/** Which tasks of a job have begun. */
interface Usage {
  readonly check: Deno.AtomicCheck;
  readonly begun: RateWindow;
  readonly held: Stored["claimed"];
}

/** What is written together with a claim. */
export type ClaimWrites = Pick<Write, "checks" | "sets">;

/** Reads and writes these keys. */
export class KvLimits {
  readonly #kv: Deno.Kv;
  readonly #now: () => number;
  /**
   * The last claim of each job in this process. They run one at a time, because of simultaneous claims only one would
   * succeed.
   */
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(kv: Deno.Kv, now: () => number) {
    this.#kv = kv;
    this.#now = now;
  }

  /** How many more tasks of a job may begin. */
  async capacity(job: string, limits: JobLimits): Promise<ReturnType<typeof capacityOf>> {
    const { held, begun } = await this.#read(job);
    return capacityOf(limits, held.length, begun, this.#now());
  }

  /**
   * Claims a task with `write` if the limits of its job allow it; `write` gets what is to be written in the same commit.
   * Resolves with the result of `write`, or with `undefined` if the limits do not allow it or the task has changed.
   */
  claim(
    { record: { info: { job, owner, id } } }: KvEntry,
    limits: JobLimits,
    write: (extra: ClaimWrites) => Promise<KvEntry | undefined>,
  ): Promise<KvEntry | undefined> {
    return this.#inTurn(job, async () => {
      while (true) {
        const { check, begun, held } = await this.#read(job);
        const now = this.#now();
        if (capacityOf(limits, held.length, begun, now).free === 0) return undefined;
        const value: Stored = { ...withClaim(limits, begun, now), claimed: [...held, [owner, id]] };
        const done = await write({ checks: [check], sets: [{ key: check.key, value }] });
        if (done) return done;
        const { versionstamp } = await reading(() => this.#kv.get(check.key));
        if (versionstamp === check.versionstamp) return undefined;
      }
    });
  }

  async #read(job: string): Promise<Usage> {
    const { key, value, versionstamp } = await reading(() => this.#kv.get<Stored>(limitKey(job)));
    const { claimed = [], ...begun } = value ?? EMPTY_WINDOW as Stored;
    const entries = await readAll<StoredTask>(this.#kv, claimed.map(([owner, id]) => taskKey(owner, id)));
    const held = claimed.filter((_, index) => entries[index]?.value?.record.holder !== undefined);
    return { check: { key, versionstamp }, begun, held };
  }

  async #inTurn<T>(job: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(job) ?? Promise.resolve()).then(act);
    const over = turn.catch(() => {}); // Its caller gets the error.
    this.#turns.set(job, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(job) === over) this.#turns.delete(job);
    }
  }
}
