/**
 * A worker at the KV file: claims in batches, and writes what becomes of its tasks, each write fenced by the version
 * that it last saw. A worker that has lost a task cannot write to it any more.
 *
 * @module
 */
import type { Attempt, ProgressReport, TaskEvent } from "../../backend.ts";
import type { Answer, Outcome, Question } from "../../task.ts";
import { credibleDue } from "../shared/clock.ts";
import * as change from "../shared/record.ts";
import type { ClaimedTask, ClaimResult, FailedClaim, RunnerStore } from "../shared/runner.ts";
import { messageOf } from "../../text.ts";
import { delayedKey, readyKey } from "./keys.ts";
import { fitting, refuseTooLarge } from "./room.ts";
import type { Entry, StoredTask, TaskStore } from "./store.ts";

/** The most tasks claimed at once. */
const MAX_BATCH = 100;

/** The pause before the next look where more tasks are held than the lease can name, in ms: some are about to end. */
const FULL_PAUSE_MS = 50;

/** From when on a clock counts as set back, in ms. */
const SET_BACK_MS = 1_000;

/** A task that may be claimed, with the check that it still may. */
interface Ready {
  readonly stored: StoredTask;
  readonly check: Deno.AtomicCheck;
}

/** What a worker's claims need. */
export interface ClaimsOptions {
  readonly kv: Deno.Kv;
  readonly store: TaskStore;
  /** The worker's name. */
  readonly worker: string;
  readonly jobs: readonly string[];
  /** Writes down which tasks are held, ordered before every later write: so a dead worker's tasks are found. */
  readonly hold: () => void;
  /** Hears that a task is no longer ours. */
  readonly lose: (id: string) => void;
  /** The time, in ms since the epoch. */
  readonly now?: () => number;
}

/** The claims of one worker. */
export class Claims implements RunnerStore {
  readonly #options: ClaimsOptions;
  readonly #held = new Map<string, Entry>();
  /** What is about to be held; it counts as held from before the claim is written. */
  #claiming: readonly Ready[] = [];
  /** When the next delayed task is due, as far as is known; before the first look, at once. */
  #dueAt = 0;
  readonly #now: () => number;
  /** When it last looked for work. */
  #lookedAt = Infinity;

  /** Claims nothing yet. */
  constructor(options: ClaimsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /** The tasks that this worker holds, or may hold in a moment. */
  get held(): readonly { readonly id: string; readonly owner: string }[] {
    return [...this.#claiming, ...this.#held.values()].map(({ stored }) => stored.record.info);
  }

  /** Hears of a change: a delayed task is to be looked for in its time. */
  hear(event: TaskEvent): void {
    if (event.kind === "gap") this.#dueAt = 0;
    else if ("dueAt" in event.task) this.#dueAt = Math.min(this.#dueAt, event.task.dueAt ?? Infinity);
  }

  async claim(max: number): Promise<ClaimResult> {
    const now = this.#now();
    // At the first look, too: the clock may have been set back before this process began.
    if (now < this.#lookedAt - SET_BACK_MS) await this.#redate(now);
    this.#lookedAt = now;
    if (this.#dueAt <= now) await this.#promote(now);
    const dueAt = Number.isFinite(this.#dueAt) ? this.#dueAt : undefined;
    const most = Math.min(max, MAX_BATCH);
    const found = await this.#ready(most);
    if (found.length === 0) return { claims: [], more: false, dueAt };
    const ready = fitting(found, this.held, ({ stored }) => stored.record.info.owner);
    if (ready.length === 0) return { claims: [], more: false, dueAt: now + FULL_PAUSE_MS };
    this.#claiming = ready;
    try {
      this.#options.hold();
      const takes = await Promise.allSettled(ready.map((one) => this.#take(one)));
      const taken = takes.flatMap((take) => take.status === "fulfilled" ? take.value ?? [] : []);
      const error = takes.find((take) => take.status === "rejected");
      // What was taken must run, whatever has become of the others.
      if (error && taken.length === 0) throw error.reason;
      const claims = taken.filter((one) => "task" in one);
      const failed = taken.filter((one) => "attempt" in one);
      const more = found.length === most || ready.length < found.length || error !== undefined;
      return { claims, failed, more, dueAt };
    } finally {
      this.#claiming = [];
    }
  }

  async report(id: string, report: ProgressReport): Promise<void> {
    await this.#change(id, (record) => ({ record: change.reported(record, report, this.#now()) }));
  }

  async ask(id: string, question: Question): Promise<Answer | undefined> {
    await this.#change(id, (record) => {
      return { record: refuseTooLarge(change.asked(record, question, this.#now()), "the question of") };
    });
    // The answer may have come since the claim.
    return this.#held.get(id)?.stored.record.answers?.[question.key];
  }

  async answer(id: string, key: string): Promise<Answer | undefined> {
    const held = this.#held.get(id);
    const entry = held && await this.#options.store.read(id, held.stored.record.info.owner);
    return entry?.stored.record.answers?.[key];
  }

  async settle(id: string, attempt: Attempt): Promise<void> {
    const random = Math.random();
    await this.#change(id, (record) => change.settled(record, attempt, this.#now(), random));
    this.#held.delete(id);
  }

  async handBack(id: string, abandoned: boolean): Promise<void> {
    await this.#change(id, (record) => change.handedBack(record, abandoned, this.#now()));
    this.#held.delete(id);
  }

  /** Takes one ready task, unless another worker is faster or it is cancelled. */
  async #take({ stored, check }: Ready): Promise<ClaimedTask | FailedClaim | undefined> {
    const { store, worker } = this.#options;
    const taken = await store.claim(stored, change.claimed(stored.record, worker, this.#now()), check);
    if (taken === undefined) return undefined;
    const { info, timeout } = taken.stored.record;
    this.#held.set(info.id, taken);
    try {
      return { task: info, input: await store.input(taken), timeout };
    } catch (error) {
      return {
        id: info.id,
        attempt: { kind: "error", message: messageOf(error), retry: true },
      };
    }
  }

  /** Changes a held task. If somebody else has changed it meanwhile, looks anew; if it is no longer ours, lets it go. */
  async #change(id: string, next: (record: change.TaskRecord) => { record: change.TaskRecord; outcome?: Outcome }) {
    const { store, worker, lose } = this.#options;
    let entry = this.#held.get(id);
    while (entry) {
      const { record, outcome } = next(entry.stored.record);
      const changed = record === entry.stored.record ? entry : await store.change(entry, record, outcome);
      if (changed) return void this.#held.set(id, changed);
      entry = await store.read(id, entry.stored.record.info.owner);
      if (entry && entry.stored.record.holder === worker) continue;
      this.#held.delete(id);
      return lose(id);
    }
  }

  /** The tasks that may run now: of all jobs together the most urgent first, then the oldest. */
  async #ready(max: number): Promise<Ready[]> {
    const lists = await Promise.all(this.#options.jobs.map(async (job) => {
      const found: Ready[] = [];
      const list = this.#options.kv.list<StoredTask>({ prefix: readyKey(job) }, { limit: max, batchSize: max });
      for await (const { key, value, versionstamp } of list) {
        found.push({ stored: value, check: { key, versionstamp } });
      }
      return found;
    }));
    const [only = []] = lists;
    if (lists.length === 1) return only;
    return lists.flat().sort((a, b) => byUrgency(a.stored, b.stored)).slice(0, max);
  }

  /** After the clock was set back: no delayed task is due later than it can be. */
  async #redate(now: number): Promise<void> {
    const { kv, store } = this.#options;
    for await (const { key, value, versionstamp } of kv.list<StoredTask>({ prefix: delayedKey() })) {
      const record = credibleDue(value.record, now);
      if (record !== value.record) await store.redate(value, record, { key, versionstamp });
    }
    this.#dueAt = 0; // Another one may be the first now.
  }

  /** Moves what is due to the ready, and finds out when the next one will be. */
  async #promote(now: number): Promise<void> {
    const { kv, store } = this.#options;
    const due: Ready[] = [];
    this.#dueAt = Infinity; // What is heard of meanwhile counts, too.
    try {
      const list = kv.list<StoredTask>({ prefix: delayedKey() }, { limit: MAX_BATCH, batchSize: MAX_BATCH });
      for await (const { key, value, versionstamp } of list) {
        const dueAt = Number(key[2]);
        if (dueAt > now) {
          this.#dueAt = Math.min(this.#dueAt, dueAt);
          break;
        }
        due.push({ stored: value, check: { key, versionstamp } });
      }
      await Promise.all(due.map(({ stored, check }) => store.promote(stored, check)));
    } catch (error) {
      this.#dueAt = 0; // The next look begins anew.
      throw error;
    }
    if (due.length === MAX_BATCH) this.#dueAt = 0;
  }
}

function byUrgency(a: StoredTask, b: StoredTask): number {
  return a.record.priority - b.record.priority || (a.record.info.id < b.record.info.id ? -1 : 1);
}
