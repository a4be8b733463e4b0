/**
 * The tasks that one worker holds. It claims them in batches and writes what becomes of them. Each write names the version
 * that the worker last saw, so a worker that has lost a task can no longer change it.
 *
 * @module
 */
import type { Attempt, ProgressReport, RecordedStep, TaskEvent, WorkOptions } from "../../../backend.ts";
import type { OnError } from "../../../log/on_error.ts";
import { type QuestionState, questionStateOf } from "../../../questions/open.ts";
import type { Answer, Json, NewQuestion, TaskInfo } from "../../../task.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import { measureStart } from "../../../telemetry/metrics.ts";
import * as change from "../record.ts";
import type { TaskRecord } from "../record.ts";
import type { ClaimedTask, ClaimName, ClaimResult, FailedClaim, RunnerStore } from "../running/runner_store.ts";
import { Delayed } from "./delayed.ts";
import { Finder, type LimitsOf } from "./finder.ts";
import { type Held, HeldClaims } from "./held.ts";
import type { Entry, KeyCondition, Queue, Store, Worker } from "../store/store.ts";
import { update } from "../store/update.ts";

/** The most tasks claimed at once. */
const MAX_BATCH = 100;

/** How long a task whose input could not be read waits, in ms. */
const UNREAD_PAUSE_MS = 1_000;

export interface ClaimsListener {
  /** Tasks are about to be claimed; `held` includes them already. Returns whether the worker may hold them all. */
  readonly hasRoom: () => boolean;
  /** The worker no longer holds a task. */
  readonly lose: (id: string) => void;
  /** Receives errors that no caller receives. */
  readonly onError: OnError;
}

export class Claims implements RunnerStore {
  readonly claimsCost: boolean;
  readonly #store: Store;
  readonly #worker: Worker;
  readonly #queue: Queue;
  readonly #limits: LimitsOf;
  readonly #delayed: Delayed;
  readonly #finder: Finder;
  readonly #listener: ClaimsListener;
  readonly #jobs: (again: boolean) => Promise<readonly string[]>;
  readonly #held: HeldClaims;
  /** Tasks whose claim is being written; they count as held. */
  #claiming: readonly Entry[] = [];
  /** New tasks that are claimed with their creation, each with the end of its start; they count as held, too. */
  readonly #starting = new Map<TaskInfo, Promise<unknown>>();
  /** The last claim, which may be under way. */
  #last: Promise<unknown> = Promise.resolve();
  /** Whether tasks were found that could not be claimed, perhaps because their job was paused meanwhile. */
  #missed = false;

  /**
   * Claims nothing yet. `jobs`: those of the worker's jobs whose tasks may begin now; default: all; `again`: what it has read
   * may be outdated. Throws `DefinitionError` if jobs have limits, and the store keeps none.
   */
  constructor(
    store: Store,
    worker: Worker,
    listener: ClaimsListener,
    jobs: (again: boolean) => Promise<readonly string[]> = () => Promise.resolve(worker.jobs),
    limits: WorkOptions["limits"] = {},
  ) {
    this.#store = store;
    this.#limits = new Map(Object.entries(limits));
    this.#worker = worker;
    this.#held = new HeldClaims(worker.name);
    this.#queue = store.queue(worker);
    this.claimsCost = this.#queue.claimsCost === true;
    this.#delayed = new Delayed(store, this.#queue);
    this.#finder = new Finder(this.#queue, this.#limits);
    this.#listener = listener;
    this.#jobs = jobs;
  }

  /** The tasks that this worker holds, and then those that it is about to claim: a list that is too short leaves out the last ones. */
  get held(): readonly TaskInfo[] {
    const claiming = this.#claiming.map(({ record }) => record.info).filter(({ id }) => !this.#held.has(id));
    return this.#held.tasks.concat(claiming, [...this.#starting.keys()]);
  }

  /** Reads the tasks that this worker holds again. */
  async reread(): Promise<readonly TaskInfo[]> {
    const entries = await Promise.all(this.held.map(({ id, owner }) => this.#store.read(id, owner)));
    return entries.flatMap((entry) => entry?.record.info ?? []);
  }

  /** Takes the due time of a delayed task from its event. */
  receive(event: TaskEvent): void {
    this.#delayed.receive(event);
  }

  /** Whether a task has freed a slot that other tasks of its job wait for. */
  freesSlot(task: TaskInfo): boolean {
    return this.#finder.freesSlot(task);
  }

  claim(max: number): Promise<ClaimResult> {
    const claim = this.#claim(max);
    this.#last = claim;
    return claim;
  }

  /** Whether a new task may be claimed with its creation, unless its job is paused. */
  mayStart({ info: { job }, delay }: TaskRecord): boolean {
    const isOurs = this.#worker.jobs.includes(job) && !this.#limits.has(job);
    return isOurs && delay === undefined && this.#store.start !== undefined;
  }

  /**
   * Stores a new task, and claims it if it may begin now: it need not be queued, found and claimed, which saves a write and a
   * search. Resolves with the claim, or with whether it was stored.
   */
  start(record: TaskRecord, input: string, condition?: KeyCondition): Promise<ClaimedTask | boolean> {
    const start = this.#start(record, input, condition).finally(() => this.#starting.delete(record.info));
    this.#starting.set(record.info, start);
    return start;
  }

  /** Resolves once the claims under way have taken their tasks, or have failed. */
  async settled(): Promise<void> {
    // The runner, or whoever creates the task, receives their errors.
    await Promise.allSettled([this.#last, ...this.#starting.values()]);
  }

  async #claim(max: number): Promise<ClaimResult> {
    const dueIn = await this.#delayed.promote();
    const jobs = await this.#jobs(this.#missed);
    if (jobs.length === 0) return { claims: [], more: false, dueIn };
    const { entries, more, pause = Infinity } = await this.#finder.find(Math.min(max, MAX_BATCH), this.held, jobs);
    this.#claiming = entries;
    try {
      // While it searched, a new task may have taken the last room. Nobody would take over what is not listed.
      if (entries.length > 0 && !this.#listener.hasRoom()) return { claims: [], more: true, dueIn };
      const begun = await Promise.allSettled(entries.map((entry) => this.#begin(entry)));
      const taken = begun.flatMap((one) => one.status === "fulfilled" ? one.value ?? [] : []);
      this.#missed = taken.length < entries.length;
      const error = begun.find((one) => one.status === "rejected");
      // Tasks that were claimed must run, even if other claims have failed.
      if (error && taken.length === 0) throw error.reason;
      return {
        claims: taken.filter((one) => "input" in one),
        failed: taken.filter((one) => "end" in one),
        more: more || error !== undefined,
        dueIn: Math.min(dueIn, pause),
      };
    } finally {
      this.#claiming = [];
    }
  }

  async #start(record: TaskRecord, input: string, condition?: KeyCondition): Promise<ClaimedTask | boolean> {
    const mayStart = (await this.#jobs(false)).includes(record.info.job) && this.#listener.hasRoom();
    if (!mayStart || !this.#store.start) return await this.#store.create(record, input, condition);
    const stored = await this.#store.start(record, input, this.#worker.name, condition);
    return typeof stored === "boolean" ? stored : claimOf(this.#hold(stored), JSON.parse(input));
  }

  async report(claim: ClaimName, report: ProgressReport, added: NewLines): Promise<void> {
    await this.#change(
      this.#held.find(claim),
      (record, now) => change.logged(change.reported(record, report, now), added),
    );
  }

  async ask(claim: ClaimName, questions: readonly NewQuestion[]): Promise<readonly QuestionState[]> {
    const held = this.#held.find(claim);
    const ours = await this.#change(held, (record, now) => ({ record: change.asked(record, questions, now) }));
    // The answers may have come since the claim.
    const asked = held && ours ? change.askedOf(held.entry.record) : undefined;
    return questions.map(({ key }) => asked ? questionStateOf(asked, key, this.#store.now()) : {});
  }

  async answer(claim: ClaimName, key: string): Promise<Answer | undefined> {
    const held = this.#held.find(claim);
    const entry = held && await this.#store.read(claim.id, held.entry.record.info.owner);
    return entry?.record.answers?.[key];
  }

  now(): number {
    return this.#store.now();
  }

  async steps(claim: ClaimName): Promise<readonly RecordedStep[]> {
    const held = this.#held.find(claim);
    return held ? await this.#store.steps(held.entry) : [];
  }

  async record(claim: ClaimName, step: RecordedStep): Promise<void> {
    const held = this.#held.find(claim);
    let entry = held?.entry;
    while (held && entry && this.#held.isBy(held, entry.record)) {
      if (await this.#store.record(entry, step)) return;
      entry = await this.#store.read(claim.id, entry.record.info.owner);
    }
    if (held) this.#lose(held);
  }

  async forget(claim: ClaimName, from: number): Promise<void> {
    const held = this.#held.find(claim);
    if (held) await this.#store.forget(held.entry, from);
  }

  async park(claim: ClaimName, awaited: change.WaitsFor): Promise<void> {
    await this.#end(claim, (record, now) => change.parked(record, awaited, now));
  }

  async settle(claim: ClaimName, attempt: Attempt): Promise<void> {
    const random = Math.random();
    await this.#end(claim, (record, now) => change.settled(record, attempt, now, random));
  }

  async handBack(claim: ClaimName, abandoned: boolean): Promise<void> {
    const steps = await this.steps(claim);
    await this.#end(claim, (record, now) => change.handedBack(record, abandoned, steps, now));
  }

  /** Writes that this worker holds a task, if the limits of its job allow it. */
  #take(entry: Entry): Promise<Entry | undefined> {
    const record = change.claimed(entry.record, this.#worker.name, this.#store.now());
    const { job } = record.info;
    const limits = this.#limits.get(job);
    if (limits === undefined || this.#store.claim === undefined) return this.#store.change(entry, record);
    return this.#store.claim(entry, record, limits).then((taken) => {
      if (taken === undefined) this.#finder.failed(job); // Perhaps another worker has taken its last slot.
      return taken;
    });
  }

  /** Claims a task. Resolves with `undefined` if it has changed meanwhile. */
  async #begin(entry: Entry): Promise<ClaimedTask | FailedClaim | undefined> {
    const taken = entry.record.holder === this.#worker.name ? entry : await this.#take(entry);
    if (taken === undefined) return undefined;
    const { info: task } = this.#hold(taken);
    const { id, job } = task;
    try {
      const input = await this.#store.input(entry);
      if (input !== undefined) return claimOf(taken.record, input);
      return { task, end: () => this.settle(task, { kind: "fault", message: "The input of the task is lost." }) };
    } catch (error) {
      this.#listener.onError(error, { where: "read the input of a task", job, task: id });
      return { task, end: () => this.#putBack(task) };
    }
  }

  /** Adds what this worker has claimed to what it holds. */
  #hold(entry: Entry): TaskRecord {
    const { record } = entry;
    const { info: { job, createdAt, updatedAt, attempt }, delay = 0 } = record;
    this.#held.add(entry);
    if (attempt === 1 && !change.mayHaveSteps(record)) measureStart(job, updatedAt - createdAt - delay);
    return record;
  }

  /** Puts a claimed task back whose code has not begun. */
  async #putBack(claim: ClaimName): Promise<void> {
    await this.#end(claim, (record, now) => change.unclaimed(record, now, UNREAD_PAUSE_MS));
  }

  /** Changes a held task for the last time. */
  async #end(claim: ClaimName, next: (record: TaskRecord, now: number) => change.Ended): Promise<void> {
    const held = this.#held.find(claim);
    await this.#change(held, next);
    if (held) this.#held.drop(held);
  }

  /** Changes a held task, or drops one that another worker has taken over. Resolves with whether this worker still held it. */
  async #change(
    held: Held | undefined,
    next: (record: TaskRecord, now: number) => change.Ended,
  ): Promise<boolean> {
    if (held === undefined) return false;
    let ours = true;
    const entry = await update(this.#store, held.entry, (record) => {
      ours = this.#held.isBy(held, record);
      return ours ? next(record, this.#store.now()) : { record };
    });
    if (entry && ours) held.entry = entry;
    else this.#lose(held);
    return entry !== undefined && ours;
  }

  #lose(held: Held): void {
    if (this.#held.drop(held)) this.#listener.lose(held.entry.record.info.id);
  }
}

function claimOf(record: TaskRecord, input: Json): ClaimedTask {
  const { info: task, timeout, trace, answers } = record;
  return { task, input, timeout, trace, answers, mayHaveSteps: change.mayHaveSteps(record) };
}
