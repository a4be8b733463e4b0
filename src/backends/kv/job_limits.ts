/**
 * Which tasks of jobs with limits have begun: one key for each job, which each claim checks and rewrites. The records of the
 * listed tasks say which are still held, so the write that ends, parks or hands back a task also frees its slot.
 *
 * @module
 */
import type { JobLimits } from "../../backend.ts";
import { batched } from "../shared/batch.ts";
import { capacityOf, EMPTY_WINDOW, type RateWindow, withClaim } from "../shared/job_limits.ts";
import type { Write } from "./committer.ts";
import { limitKey, taskKey } from "./keys.ts";
import { fitting, type HeldList, type Owned, tasksIn } from "./value_limits.ts";
import { readAll, reading } from "./reading.ts";
import type { KvEntry, StoredTask } from "./stored.ts";

/** The most claims of one job in a commit: each is one of the 100 checks that KV makes. */
const MAX_CLAIMS = 90;

/** What the key of a job holds. */
interface Stored extends RateWindow {
  /** The tasks that may still be held. */
  readonly claimed: HeldList;
}

/** Which tasks of a job have begun. */
interface Usage {
  readonly check: Deno.AtomicCheck;
  readonly begun: RateWindow;
  readonly held: HeldList;
}

/** What is written together with a claim. */
export type ClaimWrites = Pick<Write, "checks" | "latest">;

/** Writes a claim, and `extra` in the same commit. Resolves with `undefined` if one of the checks does not hold. */
type WriteClaim = (extra: ClaimWrites) => Promise<KvEntry | undefined>;

interface Claim {
  readonly entry: KvEntry;
  readonly limits: JobLimits;
  readonly write: WriteClaim;
}

/** What became of it: `again` if only the key of its job has changed meanwhile. */
type Claimed = Promise<KvEntry | "again" | undefined>;

/** Reads and writes these keys. */
export class KvLimits {
  readonly #kv: Deno.Kv;
  readonly #now: () => number;
  /**
   * Claims tasks of each job. Claims of the same moment change the key of the job together: of several separate changes, only
   * one would succeed.
   */
  readonly #claims = new Map<string, (claim: Claim) => Promise<Claimed>>();

  constructor(kv: Deno.Kv, now: () => number) {
    this.#kv = kv;
    this.#now = now;
  }

  /** How many more tasks of a job may begin, and the owners of those that are held. */
  async capacity(
    job: string,
    limits: JobLimits,
  ): Promise<ReturnType<typeof capacityOf> & { readonly held: readonly Owned[] }> {
    const { held, begun } = await this.#read(job);
    return { ...capacityOf(limits, held.length, begun, this.#now()), held: tasksIn(held) };
  }

  /**
   * Claims a task with `write` if the limits of its job allow it; `write` gets what is to be written in the same commit.
   * Resolves with the result of `write`, or with `undefined` if the limits do not allow it or the task has changed.
   */
  async claim(entry: KvEntry, limits: JobLimits, write: WriteClaim): Promise<KvEntry | undefined> {
    const { job } = entry.record.info;
    const claim = this.#claims.get(job) ?? batched<Claim, Claimed>((all) => this.#claim(job, all), MAX_CLAIMS);
    this.#claims.set(job, claim);
    while (true) {
      const claimed = await claim({ entry, limits, write });
      if (claimed !== "again") return claimed;
    }
  }

  /** Resolves once all are written or not. Each has a promise of its own, because what is claimed must run if others fail. */
  async #claim(job: string, claims: readonly Claim[]): Promise<readonly Claimed[]> {
    const { check, begun, held } = await this.#read(job);
    const now = this.#now();
    const room = fitting(claims.map(({ entry }) => entry.record.info), tasksIn(held)).length;
    let value: Stored = { ...begun, claimed: held };
    const written = claims.map(async ({ entry, limits, write }, index) => {
      // Where the list has no room, the task waits for the end of another one, as if no slot were free.
      if (index >= room || capacityOf(limits, value.claimed.length, value, now).free === 0) return undefined;
      const { owner, id } = entry.record.info;
      // These writes become one commit, of which the last `latest` counts: it includes the claims before it.
      value = { ...withClaim(limits, value, now), claimed: [...value.claimed, [owner, id]] };
      const done = await write({ checks: [check], latest: [{ key: check.key, value }] });
      return done ?? (await this.#mayTryAgain(check, entry.check) ? "again" : undefined);
    });
    await Promise.allSettled(written); // Each caller gets its own error.
    return written;
  }

  async #mayTryAgain(job: Deno.AtomicCheck, task: Deno.AtomicCheck): Promise<boolean> {
    const [ofJob, ofTask] = await readAll(this.#kv, [job.key, task.key]);
    return ofJob?.versionstamp !== job.versionstamp && ofTask?.versionstamp === task.versionstamp;
  }

  async #read(job: string): Promise<Usage> {
    const { key, value, versionstamp } = await reading(() => this.#kv.get<Stored>(limitKey(job)));
    const { claimed = [], ...begun } = value ?? EMPTY_WINDOW as Stored;
    const entries = await readAll<StoredTask>(this.#kv, claimed.map(([owner, id]) => taskKey(owner, id)));
    const held = claimed.filter((_, index) => entries[index]?.value?.record.holder !== undefined);
    return { check: { key, versionstamp }, begun, held };
  }
}
