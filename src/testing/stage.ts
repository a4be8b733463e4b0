/**
 * What one case of the conformance kit works with: a backend, its events, and everything to be closed afterwards.
 *
 * @module
 */
import type { Backend, JobLimits, NewTask, WorkHandle, WorkOptions } from "../backend.ts";
import { newTaskId } from "../ids.ts";
import { defineJob, type JobDefinition } from "../job.ts";
import type { JobContext } from "../steps/context.ts";
import type { Schema } from "../schema/schema.ts";
import { type Answer, type FinishedTask, isFinished, type Json, openQuestions, type TaskInfo } from "../task.ts";
import { doneWithin, pause, unlessAborted } from "../waiting.ts";
import { createWorker, type Worker } from "../worker.ts";
import { EventLog } from "./event_log.ts";

/** Connects the kit to a backend under test. Each case opens its own, on an empty store. */
export interface BackendHarness {
  /** The backend. The harness closes it, if a case has not done so before. */
  readonly backend: Backend;
  /**
   * Opens a second, independent connection to the same store, as another process would; the kit closes it. It emits every
   * change from then on. A store that lives in one process may return the same object again.
   */
  connect(): Promise<Backend>;
  /**
   * Starts a real process whose worker takes tasks of `doomedJob(job)`, and never ends them. `kill` ends it with SIGKILL, and
   * resolves when it is dead. Without this function, skip the cases that need another process.
   */
  startDoomedWorker?(job: string): Promise<{ kill(): Promise<void> }>;
  /**
   * Whether the store holds this text anywhere, apart from events, which are kept for a while. Without this function, skip
   * the case that looks for what is left of a task.
   */
  holds?(text: string): Promise<boolean>;
  /**
   * Cuts `backend` off from its store, as a broken network does, until the returned function is called. Other connections
   * work on. Called only where the needs of a case have `cut`. Absent: no connection can break, as with a file.
   */
  cut?(): () => void;
  /**
   * Sets the clock of the store ahead by so many ms, until it is closed, and lets the store delete what has expired by then,
   * which may still take a moment. Absent: its clock is not that of this process.
   */
  later?(ms: number): Promise<void>;
  /** Destroys the store for good under its connections, as if its file was deleted. Absent: it may always come back. */
  lose?: (() => Promise<void>) | undefined;
  /** Closes the backend and deletes the store. */
  close(): Promise<void>;
}

/** The cases of one theme, by the sentence that each proves. */
export interface Cases {
  readonly [name: string]: Case;
}

/** One case. */
export interface Case extends Partial<CaseNeeds> {
  (stage: Stage): Promise<void>;
}

/** What a case needs of the backends that its harness opens. */
export interface CaseNeeds {
  /**
   * Whether a worker of the case dies or freezes. Then a silent worker should count as dead after about 1 s. In every other
   * case it should not for ten minutes: a slow machine then never makes a live worker count as dead, and no renewal of a lease
   * wakes a worker that should have been woken before.
   */
  readonly workersDie: boolean;
  /** Whether the case cuts the first connection off. In every other case it may lead to the store directly. */
  readonly cut: boolean;
}

/** Marks a case in which a worker dies or freezes. */
export function whereWorkersDie(run: (stage: Stage) => Promise<void>): Case {
  return Object.assign(run, { workersDie: true });
}

/** Marks a case in which the first connection is cut off. */
export function whereCut(run: (stage: Stage) => Promise<void>): Case {
  return Object.assign(run, { cut: true });
}

/** The code of a job in a case. */
export type Code = (input: { readonly [key: string]: Json }, ctx: JobContext) => unknown;

/** How a case starts a worker; `parkAfter` and `onStepMismatch` are those of its jobs. */
export interface WorkerUse extends Pick<JobDefinition<Schema, unknown>, "parkAfter" | "onStepMismatch"> {
  readonly backend?: Backend;
  readonly concurrency?: number;
  /** The limits of each of its jobs. */
  readonly limits?: JobLimits;
  /** The limits of some of its jobs, by name. */
  readonly limitsOf?: { readonly [job: string]: JobLimits };
}

/** How long a case waits for anything, and its error for a read, in ms. Only failing cases wait that long. */
const TIMEOUT_MS = 60_000;
const READ_MS = 5_000;

/** The owner of a case's tasks, unless it names another. */
export const OWNER = "owner-1";

/** The question that the jobs of the cases ask. */
export const CONFIRM = {
  message: "Are you sure?",
  schema: { type: "object", properties: { sure: { type: "boolean" } }, required: ["sure"] },
};

/** Answers to it. */
export const YES = { action: "accept", content: { sure: true } } as const;
export const NO = { action: "decline" } as const;

/** Asks it, and returns the answer. */
export function ask(_: unknown, ctx: JobContext): Promise<Answer> {
  return ctx.elicit(CONFIRM);
}

/** Parks a task as soon as it waits, and has one slot. */
export const AT_ONCE = { parkAfter: 0, concurrency: 1 };

/** A sleep of which enough is left to park for once it is stored, also on a busy machine, in ms. */
export const NAP_MS = 2_000;

/** What a case works with. */
export class Stage implements AsyncDisposable {
  readonly #harness: BackendHarness;
  readonly #opened = new AsyncDisposableStack();
  readonly #logs = new Map<Backend, EventLog>();

  constructor(harness: BackendHarness) {
    this.#harness = harness;
    this.#opened.defer(() => harness.close());
    this.#log(harness.backend);
  }

  /** The first connection. */
  get backend(): Backend {
    return this.#harness.backend;
  }

  /** A second connection. */
  async connect(): Promise<Backend> {
    const backend = await this.#harness.connect();
    this.#opened.defer(() => backend.close());
    this.#log(backend);
    return backend;
  }

  /** Creates a task: by default with one attempt, an empty input, and a time to live of a minute. */
  create(
    task: Partial<NewTask> & Pick<NewTask, "job">,
    backend: Backend = this.backend,
    admit?: () => Promise<void>,
  ): Promise<TaskInfo> {
    const retry = { attempts: 1, delay: 10, maxDelay: 10 };
    return backend.create({ id: newTaskId(), owner: OWNER, input: {}, resultTtl: 60_000, retry, ...task }, admit);
  }

  /** Starts a worker for these jobs, and waits until it takes tasks. */
  async work(
    jobs: { readonly [name: string]: Code },
    { backend = this.backend, concurrency = 8, limits, limitsOf = {}, ...options }: WorkerUse = {},
  ): Promise<Worker> {
    const input = { type: "object" };
    const defined = Object.entries(jobs).map(([name, run]) =>
      defineJob({ name, input, run, ...options, ...limits, ...limitsOf[name] })
    );
    const worker = createWorker(backend, defined, { concurrency });
    this.#opened.defer(() => worker.close(0));
    await worker.ready;
    return worker;
  }

  /** Starts a worker without `createWorker`, so that inputs need not be objects. */
  async take(job: string, run: WorkOptions["run"], after?: Promise<void>): Promise<WorkHandle> {
    const handle = this.backend.work({ jobs: [job], concurrency: 8, after, run });
    this.#opened.defer(() => handle.stop(0));
    await handle.ready;
    return handle;
  }

  /** Starts a process that takes tasks of this job and never ends them. */
  async startDoomedWorker(job: string): Promise<{ kill(): Promise<void> }> {
    if (this.#harness.startDoomedWorker === undefined) {
      throw new Error("Cannot start another process: the harness has no startDoomedWorker. Add it, or skip this case.");
    }
    const doomed = await this.#harness.startDoomedWorker(job);
    let killing: Promise<void> | undefined;
    const kill = () => killing ??= doomed.kill();
    this.#opened.defer(kill);
    return { kill };
  }

  /** Whether the store holds this text. */
  async holds(text: string): Promise<boolean> {
    if (this.#harness.holds) return await this.#harness.holds(text);
    throw new Error("Cannot search the store: the harness has no holds. Add it, or skip this case.");
  }

  /** Cuts the first connection off until the returned function is called; `undefined`: it cannot be. */
  cut(): (() => void) | undefined {
    return this.#harness.cut?.();
  }

  /** Sets the clock of the store ahead. Resolves with whether that is possible. */
  async later(ms: number): Promise<boolean> {
    await this.#harness.later?.(ms);
    return this.#harness.later !== undefined;
  }

  /** Destroys the store for good. Resolves with whether that is possible. */
  async lose(): Promise<boolean> {
    await this.#harness.lose?.();
    return this.#harness.lose !== undefined;
  }

  /** Gives the same answer to all open questions of a task. Resolves with the task after that. */
  async answer(task: TaskInfo, answer: Answer, backend: Backend = this.backend): Promise<TaskInfo> {
    const answers = Object.fromEntries(openQuestions(task).map(({ key }) => [key, answer]));
    return (await backend.answer(task.id, OWNER, answers)).task;
  }

  /** The events of a task that a connection has emitted so far. */
  events(task: TaskInfo, backend: Backend = this.backend): readonly TaskInfo[] {
    return this.#log(backend).of(task.id);
  }

  /** Waits until a connection emits, or has emitted, a state of the task for which `matches` is true. */
  until(
    task: TaskInfo,
    what: string,
    matches: (task: TaskInfo) => boolean,
    backend: Backend = this.backend,
  ): Promise<TaskInfo> {
    return within(this.#log(backend).until(task, matches), async () => {
      const event = JSON.stringify(this.events(task, backend).at(-1)) ?? "nothing";
      const reading = backend.get(task.id, task.owner).then(JSON.stringify, String);
      const read = await doneWithin(reading, READ_MS) ? await reading : "no answer";
      return `Task ${task.id} is not ${what}; the last event says ${event}, and a read: ${read}.`;
    });
  }

  /** Waits until a worker runs a task. */
  running(task: TaskInfo, backend?: Backend): Promise<TaskInfo> {
    return this.until(task, "RUNNING", ({ status }) => status === "RUNNING", backend);
  }

  /** Waits until a task is parked, again if it was before, and returns it. */
  parked(task: TaskInfo, backend?: Backend): Promise<TaskInfo> {
    return this.until(task, "parked", (now) => "parked" in now && now.revision > task.revision, backend);
  }

  /** Waits until a connection emits that a task is finished. */
  async finished(task: TaskInfo, backend?: Backend): Promise<FinishedTask> {
    const end = await this.until(task, "finished", isFinished, backend);
    if (!isFinished(end)) throw new Error(`Task ${end.id} is ${end.status}, which is not finished.`);
    return end;
  }

  /** Waits until a task is finished, and returns its value. Rejects if it has none. */
  async valueOf(task: TaskInfo, backend: Backend = this.backend): Promise<Json> {
    await this.finished(task, backend);
    const outcome = await backend.outcome(task.id, task.owner);
    if (outcome.kind !== "value") throw new Error(`Task ${task.id} has failed: ${outcome.message}`);
    return outcome.value;
  }

  /** Closes what the case has opened, in reverse order. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync();
  }

  /** The events of a connection from the first call on. */
  #log(backend: Backend): EventLog {
    const log = this.#logs.get(backend) ?? this.#opened.use(new EventLog(backend));
    this.#logs.set(backend, log);
    return log;
  }
}

/** Waits for a promise; after a long time it fails with `why`. */
export async function within<T>(promise: Promise<T>, why: () => string | Promise<string>): Promise<T> {
  if (await doneWithin(promise, TIMEOUT_MS)) return await promise;
  throw new Error(`${await why()} Waited ${TIMEOUT_MS} ms.`);
}

/** Checks again and again until the condition holds, where there is no event to wait for. */
export async function eventually(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + TIMEOUT_MS;
  while (!await ask()) {
    if (Date.now() > end) throw new Error(`This did not happen within ${TIMEOUT_MS} ms: ${what}.`);
    await pause(10);
  }
}

/** Rejects as soon as the signal aborts, as well-behaved code does. */
export function aborted(signal: AbortSignal): Promise<never> {
  return unlessAborted(new Promise<never>(() => {}), signal);
}
