/**
 * Runs the schedules of a server. Any number of servers may run the same ones: a schedule's document has its next due time,
 * and moves on only once the task of that time is stored. If a server dies in between, others find the task by its key.
 *
 * Nothing polls: a server waits for the next due time, and for changes of the documents.
 *
 * @module
 */
import type { Backend } from "../backend.ts";
import type { OnError } from "../log/on_error.ts";
import type { RegisteredJob } from "../registry.ts";
import type { Audit } from "../tasks/audit.ts";
import { doneWithin } from "../waiting.ts";
import { DueTasks, ScheduleChanged } from "./due_tasks.ts";
import { decide, type Declaration, declared, parse, SCHEDULE, type Schedule, served, toText } from "./schedule.ts";

/** How long a wait lasts at most, in ms: a timer does not notice that the clock is set, or that the machine sleeps. */
const LONGEST_MS = 60_000;

/** The pause before what has failed is tried again, in ms. */
const RETRY_MS = 1_000;

export interface SchedulerOptions {
  /** Receives the creation of each task. */
  readonly audit: Audit;
  readonly onError: OnError;
  /** The time, in ms since the epoch. Default: the machine's. */
  readonly now?: () => number;
}

/** A schedule that a server declares, and the job of its tasks. */
export interface DeclaredSchedule {
  readonly name: string;
  readonly registered: RegisteredJob;
  readonly declaration: Declaration;
}

/** A schedule of this server, with what is known of its document. */
interface TrackedSchedule extends DeclaredSchedule {
  declared: boolean;
  /** The document; `null`: there is none; absent: it is to be read. */
  text?: string | null;
  /** How many changes of the document have been announced. */
  changes: number;
  /** Resolves when the document has changed, or the scheduler stops. */
  woken: PromiseWithResolvers<void>;
  /** The next due time that this server last knew, and since when no other one has moved it. */
  seen?: { readonly nextAt: number | undefined; readonly at: number };
}

/** Runs schedules until it is disposed of. */
export class Scheduler implements AsyncDisposable {
  readonly #documents: Backend["documents"];
  readonly #tasks: DueTasks;
  readonly #schedules: readonly TrackedSchedule[];
  readonly #onError: OnError;
  readonly #now: () => number;
  readonly #since: number;
  readonly #unwatch: () => void;
  readonly #running: Promise<unknown>;
  #closed = false;

  constructor(
    backend: Pick<Backend, "create" | "documents" | "get" | "keys">,
    schedules: readonly DeclaredSchedule[],
    { audit, onError, now = Date.now }: SchedulerOptions,
  ) {
    this.#documents = backend.documents;
    this.#tasks = new DueTasks(backend, { audit, onError, now });
    const fresh = () => ({ declared: false, changes: 0, woken: Promise.withResolvers<void>() });
    this.#schedules = schedules.map((schedule) => ({ ...schedule, ...fresh() }));
    this.#onError = onError;
    this.#now = now;
    this.#since = now();
    this.#unwatch = backend.documents.watch((name) => this.#changed(name));
    // Each on its own: one may be behind for long, if its tasks are due more often than they can be created.
    this.#running = Promise.all(this.#schedules.map((schedule) => this.#run(schedule)));
  }

  /** Stops, after what is under way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#unwatch();
    for (const { woken } of this.#schedules) woken.resolve();
    await this.#running;
  }

  #changed(document: string | undefined): void {
    for (const schedule of this.#schedules) {
      if (document !== undefined && document !== SCHEDULE + schedule.name) continue;
      schedule.text = undefined;
      schedule.changes++;
      schedule.woken.resolve();
    }
  }

  async #run(schedule: TrackedSchedule): Promise<void> {
    while (!this.#closed) {
      schedule.woken = Promise.withResolvers();
      const wait = await this.#serve(schedule) - this.#now();
      if (this.#closed) return;
      await doneWithin(schedule.woken.promise, Math.max(0, Math.min(wait, LONGEST_MS)));
    }
  }

  /** Creates the tasks that are due. Resolves with when to check again. */
  async #serve(schedule: TrackedSchedule): Promise<number> {
    try {
      while (!this.#closed) {
        const text = await this.#read(schedule);
        const stored = text === undefined ? undefined : parse(text);
        if (!schedule.declared) {
          schedule.declared = await this.#write(schedule, text, declared(schedule.declaration, stored, this.#now()));
          continue;
        }
        // An operator has removed it, or another version of the program uses it for another job.
        if (text === undefined || stored?.job !== schedule.declaration.job) return Infinity;
        const now = this.#now();
        if (schedule.seen?.nextAt !== stored.nextAt) schedule.seen = undefined; // Another server makes progress.
        const { at } = schedule.seen ??= { nextAt: stored.nextAt, at: now };
        const decision = decide(stored, now, this.#since, at);
        if (decision.kind === "wait") return decision.until;
        const { kind, dueAt } = decision;
        const task = kind === "create" ? await this.#create(schedule, stored, text, dueAt) : undefined;
        const next = served(stored, dueAt, task);
        // Its own progress is no reason to wait for others.
        if (await this.#write(schedule, text, next)) schedule.seen = { nextAt: next.nextAt, at };
      }
      return Infinity;
    } catch (error) {
      schedule.text = undefined;
      if (error instanceof ScheduleChanged) return this.#now();
      if (!this.#closed) this.#onError(error, { where: "run a schedule", job: schedule.declaration.job });
      return this.#now() + RETRY_MS;
    }
  }

  #create(
    { name, registered }: TrackedSchedule,
    schedule: Schedule,
    text: string,
    dueAt: number,
  ): Promise<string | undefined> {
    const isCurrent = async () => await this.#documents.read(SCHEDULE + name) === text;
    return this.#tasks.create({ name, schedule, dueAt }, registered, isCurrent);
  }

  async #read(schedule: TrackedSchedule): Promise<string | undefined> {
    if (schedule.text !== undefined) return schedule.text ?? undefined;
    const { changes } = schedule;
    const text = await this.#documents.read(SCHEDULE + schedule.name);
    if (schedule.changes === changes) schedule.text = text ?? null;
    return text;
  }

  /** Changes the document, if it is still the one that was read. Resolves with whether it was. */
  async #write(schedule: TrackedSchedule, from: string | undefined, to: Schedule): Promise<boolean> {
    schedule.text = undefined;
    return await this.#documents.write(SCHEDULE + schedule.name, from, toText(to));
  }
}
