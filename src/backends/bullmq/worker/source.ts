/**
 * Takes the jobs of a queue, one after the other, with BullMQ's own scripts.
 *
 * @module
 */
import type { Job, JobScheduler, RepeatOptions, Worker } from "bullmq";
import type { OnError } from "../../../log/on_error.ts";
import { doneWithin, pause, unlessAborted } from "../../../waiting.ts";
import { ABORT_GRACE_MS } from "../../shared/running/runner.ts";
import type { BullMq } from "../internals.ts";
import { LAST } from "../redis/scripts/changed.ts";
import { WORKER } from "../redis/scripts/read.ts";
import type { OpenWorker } from "../redis/workers.ts";

/** How long a worker waits to be woken before it looks for jobs by itself, in s. */
const WAIT_S = 0.5;

/** The shortest such wait, in s: none would be one without end. */
const MIN_WAIT_S = 0.002;

/** The pause after Redis has refused to let a worker wait, in ms. */
const WAIT_RETRY_MS = 500;

/** The longest pause of a worker whose rate is used up, in ms: another limit may apply meanwhile. */
const RATE_PAUSE_MS = 1_000;

/** What BullMQ replies to a claim: a job and its id, for how long the rate is used up, and when a delayed job is due. */
type Reply = Awaited<ReturnType<ReturnType<Worker["getBackend"]>["moveToActive"]>>;

/** A claim, and the token that locks what it takes. */
interface Claim {
  readonly token: string;
  /** `undefined` if nothing was claimed. */
  readonly reply: Promise<Reply | undefined>;
}

/** A job, and the token that locks it. */
export interface LockedJob {
  readonly job: Job;
  readonly token: string;
}

/** What was found, whether there may be more, and for how long there is none because the rate is used up, in ms. */
export interface Found {
  readonly jobs: readonly LockedJob[];
  readonly more: boolean;
  readonly dueIn?: number;
}

/** What a source depends on. */
export interface SourceOptions {
  /** The name of the queue. */
  readonly name: string;
  readonly onError: OnError;
  /** Whether there is a slot for another job, beside so many that are being taken. */
  readonly hasRoom: (taking: number) => boolean;
  /** Called when there may be jobs. */
  readonly wake: () => void;
}

/** The jobs of a queue. */
export class JobSource {
  readonly #bullmq: BullMq;
  readonly #worker: Worker;
  readonly #stopWaiting: OpenWorker["stopWaiting"];
  readonly #options: SourceOptions;
  readonly #stopping = new AbortController();
  /** Aborts once the claim under way is no longer waited for. */
  readonly #givenUp = new AbortController();
  #claims = 0;
  /** The claims whose replies are awaited. */
  #current: readonly Claim[] = [];
  /** Claims that were made with the end of a job, each for the slot of that one. */
  readonly #following: Claim[] = [];
  /** What the latest claim has found: there may be more jobs, there are none, or the rate is used up, so only time helps. */
  #found: "more" | "none" | "limited" = "more";
  /** When a delayed job is due, in ms since the epoch. */
  #dueAt = Infinity;
  #isWaiting = false;
  #scheduler: JobScheduler | undefined;

  constructor(bullmq: BullMq, { worker, stopWaiting }: OpenWorker, options: SourceOptions) {
    this.#bullmq = bullmq;
    this.#worker = worker;
    this.#stopWaiting = stopWaiting;
    this.#options = options;
  }

  /** Takes the jobs that were claimed with the ends of others, and one more if these leave one of the `slots` free. */
  async take(slots: number): Promise<Found> {
    const claims = this.#following.splice(0);
    if (claims.length < slots) {
      const { token, reply } = this.#claim();
      // An error must not keep the others from running. The next claim gets it, too.
      claims.push(claims.length === 0 ? { token, reply } : { token, reply: reply.catch(() => undefined) });
    }
    this.#current = claims;
    const replies = await unlessAborted(Promise.all(claims.map(({ reply }) => reply)), this.#givenUp.signal);
    const jobs: LockedJob[] = [];
    let dueIn = Infinity;
    this.#dueAt = Infinity;
    this.#found = "more";
    for (const [index, { token }] of claims.entries()) {
      const reply = replies[index];
      if (reply === undefined) continue;
      const [data, id, limited = 0, due = 0] = reply;
      this.#found = limited > 0 ? "limited" : data && data.processedBy !== LAST ? "more" : "none";
      if (limited > 0) dueIn = Math.min(limited, RATE_PAUSE_MS);
      else if (due > 0) this.#dueAt = due;
      if (!data) continue;
      try {
        jobs.push({ job: this.#bullmq.Job.fromJSON(this.#worker, data, id), token });
      } catch (error) {
        // What another program has queued cannot be read: it fails once its lock has run out too often.
        this.#options.onError(error, { where: "read a job", job: this.#options.name, task: id });
      }
    }
    for (const { job } of jobs) if (job.repeatJobKey) await this.#schedule(job);
    return { jobs, more: this.#found === "more", dueIn };
  }

  /** What was taken has its slots, or needs none. */
  taken(): void {
    this.#current = [];
  }

  /**
   * Ends the job that a token locks. If there may be others, `end` is to claim the next one, which saves a script, and to
   * resolve with BullMQ's reply.
   */
  async end(token: string, end: (claimsNext: boolean) => Promise<Reply | void>): Promise<void> {
    const claimsNext = this.#found === "more" && this.#hasRoom;
    const ended = end(claimsNext);
    if (claimsNext) {
      const next = ended.then((reply) => reply ?? undefined).catch(() => undefined); // The caller gets the error.
      const claim = { token, reply: this.#unlessStopping(token, next) };
      this.#following.push(claim);
      // Whoever takes it, or stops, gets its error.
      claim.reply.then(() => this.#following.includes(claim) && this.#options.wake(), () => {});
    }
    await ended;
  }

  /**
   * Gives back jobs, each with its token, that are neither held nor being taken: when a connection is lost, ioredis sends a claim
   * again whose reply was lost. Resolves with `false` if one may be being taken.
   */
  async giveBack(claimed: readonly (readonly [id: string, token: string])[]): Promise<boolean> {
    const tokens = new Set([...this.#current, ...this.#following].map(({ token }) => token));
    const lost = claimed.filter(([, token]) => !tokens.has(token));
    const backend = this.#worker.getBackend();
    // One that has ended meanwhile is refused.
    await Promise.allSettled(lost.map(([id, token]) => backend.moveJobFromActiveToWait(id, token)));
    return lost.length === claimed.length;
  }

  /** Waits until there may be jobs, if there is a slot for one, and none is known to be there. */
  wait(): void {
    if (this.#isWaiting || this.#found !== "none" || !this.#hasRoom) return;
    this.#isWaiting = true;
    void this.#woken().finally(() => {
      this.#isWaiting = false;
      this.#options.wake();
    });
  }

  /** Takes no more jobs, and gives back those that come too late. `ended` resolves once nothing runs any longer. */
  async stop(ended: Promise<void>): Promise<void> {
    this.#stopping.abort();
    await this.#stopWaiting();
    if (!await doneWithin(ended, ABORT_GRACE_MS)) this.#givenUp.abort();
    await ended;
    const claims = [...this.#current, ...this.#following];
    // If Redis is away, the jobs run again once their locks have run out.
    await Promise.allSettled(claims.map(({ token, reply }) => this.#unlessStopping(token, reply)));
  }

  get #hasRoom(): boolean {
    return !this.#stopping.signal.aborted && this.#options.hasRoom(this.#current.length + this.#following.length);
  }

  #claim(): Claim {
    const token = `${this.#worker.id}:${this.#claims++}`;
    return { token, reply: this.#unlessStopping(token, this.#worker.getBackend().moveToActive(token, WORKER)) };
  }

  /** A worker that stops gives back what it has claimed. */
  async #unlessStopping(token: string, reply: Promise<Reply | undefined>): Promise<Reply | undefined> {
    const found = await reply;
    if (!found?.[0] || !this.#stopping.signal.aborted) return found;
    await this.#worker.getBackend().moveJobFromActiveToWait(found[1], token);
    return undefined;
  }

  async #woken(): Promise<void> {
    const { signal } = this.#stopping;
    try {
      // At most until the delayed job is due: once that has taken its last slot, it would take the mark of a new job from
      // other workers.
      const dueIn = (this.#dueAt - Date.now()) / 1_000;
      await this.#worker.getBackend().waitForJob(Math.max(MIN_WAIT_S, Math.min(WAIT_S, dueIn)));
    } catch (error) {
      if (signal.aborted) return;
      this.#options.onError(error, { where: "wait for jobs", job: this.#options.name });
      await pause(WAIT_RETRY_MS, signal);
    }
  }

  /** Lets the scheduler of a job queue the next one, as BullMQ's own workers do. */
  async #schedule({ name, data, opts, id, repeatJobKey }: Job): Promise<void> {
    const { repeat }: typeof opts & { readonly repeat?: RepeatOptions } = opts;
    if (!repeatJobKey || !repeat) return;
    const { name: queue, onError } = this.#options;
    const backend = () => this.#worker.getBackend();
    const scheduler = this.#scheduler ??= new this.#bullmq.JobScheduler(queue, this.#worker.opts, backend);
    scheduler.on("error", () => {}); // The call on it that fails rejects, too.
    const options = { override: false, producerId: id };
    try {
      if (!await scheduler.isJobScheduler(repeatJobKey)) return;
      await scheduler.upsertJobScheduler(repeatJobKey, repeat, name, data, opts, options);
    } catch (error) {
      onError(error, { where: "queue the next job of a scheduler", job: queue });
    }
  }
}
