/**
 * A queue of its own on Redis, where one task after the other lives through its events: by BullMQ's scripts, by ours, and
 * by how our workers end a run.
 *
 * @module
 */
import type { Queue, Worker } from "bullmq";
import type { Redis } from "ioredis";
import type { LogLine, NewTask, RecordedStep } from "../../../../../src/backend.ts";
import { toJob } from "../../../../../src/backends/bullmq/new_task.ts";
import { LISTS } from "../../../../../src/backends/bullmq/redis/scripts/lists.ts";
import { operatedOn } from "../../../../../src/backends/bullmq/redis/operating.ts";
import type { RedisStore } from "../../../../../src/backends/bullmq/redis/store.ts";
import type { RedisWorkers } from "../../../../../src/backends/bullmq/redis/workers.ts";
import { toTask } from "../../../../../src/backends/bullmq/snapshot.ts";
import { Ends } from "../../../../../src/backends/bullmq/worker/ends.ts";
import type { HeldJob } from "../../../../../src/backends/bullmq/worker/held.ts";
import type { JobSource } from "../../../../../src/backends/bullmq/worker/source.ts";
import { isAbandoned, MAX_CRASHES, type WaitsFor } from "../../../../../src/backends/shared/record.ts";
import type { TaskInfo } from "../../../../../src/task.ts";
import { ignored } from "../../../../support/errors.ts";
import type { Event, RunEnd } from "./events.ts";
import { OWNER } from "./random_events.ts";
import { type Model, mustStop } from "./model.ts";

/** What a run says of itself at once. */
type Reported = Pick<Event & { kind: "report" }, "report" | "added">;

/** No lock ends by itself. */
const LEASE_MS = 600_000;

/** Where the queues are. */
export interface Place {
  readonly store: RedisStore;
  readonly workers: RedisWorkers;
  /** For what BullMQ does to its keys by itself as time passes. */
  readonly client: Redis;
  readonly prefix: string;
}

/** One queue, its worker, and the task that is there now. */
export class Lane {
  readonly #store: RedisStore;
  readonly #client: Redis;
  readonly #prefix: string;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #ends: Ends;
  #tokens = 0;
  #id = "";
  #current: HeldJob | undefined;
  /** The runs that no longer hold the task. */
  #late: HeldJob[] = [];

  private constructor({ store, workers, client, prefix }: Place, queue: Queue) {
    this.#store = store;
    this.#client = client;
    this.#queue = queue;
    this.#prefix = `${prefix}:${queue.name}:`;
    const { worker } = workers.open(queue.name, { lockDuration: LEASE_MS, maxStalledCount: MAX_CRASHES - 1 });
    this.#worker = worker;
    const end: JobSource["end"] = async (_, end) => void await end(false);
    this.#ends = new Ends(store, queue.name, { end }, ignored);
  }

  /** Opens a queue of this name. */
  static async open(place: Place, name: string): Promise<Lane> {
    const lane = new Lane(place, await place.store.queue(name));
    await lane.#worker.waitUntilReady();
    return lane;
  }

  /** How many runs are still to end. */
  get lateRuns(): number {
    return this.#late.length;
  }

  /** Stores a task. */
  async create(task: NewTask): Promise<TaskInfo> {
    this.#id = task.id;
    const { records, bullmq } = this.#store;
    const job = toJob(bullmq, this.#queue, task);
    await records.create({ job, queue: this.#queue.name, task, size: 0 });
    const stored = await records.read(task.id);
    if (stored === undefined) throw new Error(`Redis has not stored task ${task.id}.`);
    return toTask(stored);
  }

  /** Has an event happen to the task, which stands as the model says. */
  async happen(event: Event, model: Model): Promise<void> {
    const { records } = this.#store;
    switch (event.kind) {
      case "claim":
        this.#current = await this.#take();
        return;
      case "report":
        return await this.#report(this.#running(), event);
      case "report late": {
        const [run] = this.#late;
        return run && await this.#report(run, event);
      }
      case "ask":
        return void await records.storeQuestions(this.#running().hold, event.questions);
      case "ask late": {
        const [run] = this.#late;
        if (run) await records.storeQuestions(run.hold, event.questions);
        return;
      }
      case "park":
        return await this.#park(event.awaited);
      case "park late": {
        const [run] = this.#late;
        if (run) await this.#store.parking.park(this.#queue.name, run.hold, event.awaited);
        return;
      }
      case "record":
        return void await this.#store.parking.record(this.#queue.name, this.#running().hold, event.step);
      case "record late": {
        const [run] = this.#late;
        return void (run && await this.#store.parking.record(this.#queue.name, run.hold, event.step));
      }
      case "answer":
        return void await records.storeAnswers({ id: this.#id, owner: OWNER, answers: event.answers });
      case "cancel": {
        const done = await records.cancel(this.#id, event.work);
        if (done === "cancelled") this.#lose();
        return;
      }
      case "settle": {
        const { attempt } = event;
        return await this.#finish(model, { kind: "settled", attempt, abandoned: isAbandoned(attempt) });
      }
      case "hand back":
        return await this.#finish(model, { kind: "handed back", abandoned: event.abandoned });
      case "die":
        return await this.#die(event.taken);
      case "end late": {
        const run = this.#late.shift();
        if (run) await this.#process(run, event.end);
        return;
      }
      case "expire": {
        const snapshot = await records.read(this.#id);
        if (snapshot && !snapshot.expired) await records.expire(snapshot);
        return;
      }
    }
  }

  /** The lines of its log, also once it has expired. */
  log(): Promise<readonly LogLine[]> {
    return this.#store.records.log(this.#id);
  }

  /** Leaves the queue as it was before the task. */
  async clear(): Promise<void> {
    this.#lose();
    this.#late = [];
    const lists = ["wait", "active", "delayed", "prioritized", "pc", "stalled", "stalled-check", "marker"];
    const keys = [...lists, this.#id, `${this.#id}:lock`].map((key) => this.#prefix + key);
    await this.#client.del([...keys, ...LISTS.map((list) => this.#list(list))]);
  }

  #running(): HeldJob {
    if (this.#current === undefined) throw new Error(`Nobody runs task ${this.#id}.`);
    return this.#current;
  }

  #lose(): void {
    if (this.#current) this.#late.push(this.#current);
    this.#current = undefined;
  }

  /** Takes the job, be it due or not. */
  async #take(): Promise<HeldJob> {
    await this.#client.zadd(`${this.#prefix}delayed`, "XX", Date.now() * 0x1000, this.#id);
    const token = `${++this.#tokens}`;
    const job = await this.#worker.getNextJob(token, { block: false });
    if (job?.id !== this.#id) throw new Error(`The queue gave out job ${job?.id} and not ${this.#id}.`);
    const hold = { id: this.#id, run: job.attemptsStarted, token };
    return { job, hold, recorded: undefined, reported: {}, isCancelled: false, isEnding: false };
  }

  async #report(run: HeldJob, { report, added }: Reported): Promise<void> {
    const { progress = run.reported.progress, message = run.reported.message } = report;
    run.reported = { progress, message };
    await this.#store.records.storeProgress(this.#queue.name, run.hold, run.reported, added);
  }

  /** Ends the run that holds the task: as stopped, where somebody wants that. */
  async #finish(model: Model, end: RunEnd): Promise<void> {
    const run = this.#running();
    this.#current = undefined;
    await this.#process(run, mustStop(model) ? { kind: "cancelled", abandoned: end.abandoned } : end);
  }

  /** Parks the task, or ends its run as stopped where somebody wants that. */
  async #park(awaited: WaitsFor): Promise<void> {
    const run = this.#running();
    const reply = await this.#store.parking.park(this.#queue.name, run.hold, awaited);
    this.#lose();
    if (reply === "lost") throw new Error(`The run of task ${this.#id} has lost it.`);
    if (reply === "parked") return;
    this.#late.pop();
    await this.#process(run, { kind: "cancelled", abandoned: false });
  }

  /** The steps that are recorded. */
  steps(): Promise<readonly RecordedStep[]> {
    return this.#store.parking.steps(this.#queue.name, this.#id);
  }

  /** The lists in which the task is. */
  async lists(): Promise<readonly string[]> {
    const found = await Promise.all(LISTS.map((list) => this.#client.zscore(this.#list(list), this.#id)));
    return LISTS.filter((_, index) => found[index] !== null);
  }

  /** The key of a list of the tasks in this queue. */
  #list(name: string): string {
    return `${this.#prefix.slice(0, -this.#queue.name.length - 1)}mcp-jobs:list:${name}:${this.#queue.name}`;
  }

  /** Whether an operator who asks for tasks of this status finds it. */
  async isFoundAs(status: TaskInfo["status"]): Promise<boolean> {
    const find = () => Promise.reject(new Error("A page reads no single task."));
    const operated = operatedOn(this.#store, { find, call: (_, act) => act() });
    const { tasks } = await operated.page({ job: this.#queue.name, status }, 1);
    return tasks.some(({ id }) => id === this.#id);
  }

  /** Ends a run as our workers do. */
  async #process(run: HeldJob, end: RunEnd): Promise<void> {
    const { deferredFailure } = run.job;
    if (deferredFailure) return await this.#ends.fail(run, deferredFailure);
    if (end.kind === "settled") return await this.#ends.settle(run, end.attempt);
    if (end.kind === "cancelled") run.isCancelled = true;
    await this.#ends.handBack(run, end.abandoned);
  }

  /** The lock runs out, and a worker finds that. It also takes what it is to fail, or, if `taken`, to stop. */
  async #die(taken: boolean): Promise<void> {
    this.#lose();
    const at = (key: string) => this.#prefix + key;
    await this.#client.multi().del(at(`${this.#id}:lock`), at("stalled-check")).sadd(at("stalled"), this.#id).exec();
    await this.#worker.getBackend().moveStalledJobsToWait();
    const fails = await this.#client.hexists(at(this.#id), "defa") === 1;
    const stops = taken ? await this.#store.records.toStop([this.#id]) : [];
    if (!fails && stops.length === 0) return;
    await this.#process(await this.#take(), { kind: "cancelled", abandoned: false });
  }
}
