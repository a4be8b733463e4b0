/**
 * The records on Redis: one hash per task, one sorted set per owner, and one by expiry. All is done in `scripts.ts`.
 *
 * @module
 */
import type { IRedisClient, Job, Queue } from "bullmq";
import type { NewTask } from "../../../backend.ts";
import type { Answer, CancelledTask, Json, Question } from "../../../task.ts";
import { EXPIRED_TOLD_MS } from "../../shared/record.ts";
import { batched, type Travel } from "../../shared/batch.ts";
import type { Deadline } from "../deadline.ts";
import type { RedisScripts } from "./scripts/run.ts";
import { isUnknownScript, type transactionsOn } from "./transaction.ts";
import { JOB_FIELDS, RECORD_FIELDS } from "./scripts/lua.ts";
import type { JobState, Snapshot } from "../snapshot.ts";
import type { Cancelled, Records, Wanted } from "../database.ts";

type Field = string | null;

/** What the script `read` gives of a task. */
type Found<T> = T | false;
type Look = readonly [
  record: readonly Found<string>[],
  state: JobState,
  due: Found<number>,
  job: readonly Found<string>[],
  questions: Found<readonly string[]>,
];

/** A task on its way into the store. */
interface Stored {
  readonly job: Job;
  readonly queue: string;
  readonly task: NewTask;
  /** The length of its input. */
  readonly size: number;
}

/** The most tasks that are read together. */
const MAX_READS = 500;

/** The most tasks that are stored together. */
const MAX_WRITES = 50;

/** How many batches may be under way: Redis takes them one after the other, and a long way to it costs no throughput. */
const AT_ONCE = 16;

/** How many tasks are stored while others are on their way: Redis works on the ones while we prepare the others. */
const ENOUGH_WRITES = 8;

/** The most text that may be under way to be stored, in UTF-16 units: what comes behind it has to wait for all of it. */
const MAX_SIZE = 4_194_304;

/** How long a call waits for its turn while Redis is busy, in ms. */
const PATIENCE_MS = 5_000;

/** Stands in the job for a result that is kept in the record. */
const APART = "mcp-jobs";

/** Our records on Redis. */
export class RedisRecords implements Records {
  /** BullMQ sends a job's result to all who listen to its queue, and keeps it in the queue's events. */
  readonly maxInline = 32_768;
  readonly #read: (wanted: Wanted) => Promise<Snapshot | undefined>;
  readonly #store: (stored: Stored) => Promise<number | Error>;
  readonly #scripts: RedisScripts;
  readonly #begin: ReturnType<typeof transactionsOn>;
  readonly #queue: (name: string) => Promise<Queue>;

  /** `begin` begins a transaction, `queue` opens BullMQ's queues, `answers` says how long answers may take. */
  constructor(
    scripts: RedisScripts,
    begin: ReturnType<typeof transactionsOn>,
    queue: (name: string) => Promise<Queue>,
    answers: Deadline,
  ) {
    this.#scripts = scripts;
    this.#begin = begin;
    this.#queue = queue;
    const travel: Travel = {
      atOnce: AT_ONCE,
      maxSize: MAX_SIZE,
      inTime: (answer, size) => answers.meet(answer, size),
      patience: PATIENCE_MS,
    };
    this.#read = batched((wanted) => this.#readMany(wanted), MAX_READS, travel);
    const many = (tasks: readonly Stored[]) => this.#storeMany(tasks);
    this.#store = batched(many, MAX_WRITES, { ...travel, enough: ENOUGH_WRITES }, ({ size }) => size);
  }

  read(id: string, owner: string = ""): Promise<Snapshot | undefined> {
    return this.#read({ id, owner });
  }

  async create(job: Job, queue: string, task: NewTask, size: number): Promise<number> {
    const storedAt = await this.#store({ job, queue, task, size });
    if (typeof storedAt === "number") return storedAt;
    throw storedAt;
  }

  async queues(): Promise<readonly string[]> {
    return await this.#scripts.run("queues");
  }

  input(job: Job): Promise<Json> {
    return Promise.resolve(job.data);
  }

  async result({ id, queue }: Snapshot): Promise<Json> {
    const { client, prefix } = this.#scripts;
    const text = await client.hget(`${prefix}:${queue}:${id}`, "returnvalue");
    const value = parse(text);
    if (value === undefined) return text; // Whoever wrote it: what is no JSON is taken as it is.
    if (typeof value !== "object" || value === null || Array.isArray(value) || !(APART in value)) return value;
    const apart = await this.#scripts.run<Field>("field", id, `result:${value[APART]}`);
    return apart === null ? value : JSON.parse(apart);
  }

  async keepResult(id: string, run: number, text: string): Promise<Json> {
    const kept = await this.#scripts.run<0 | 1>("mark", id, `result:${run}`, text);
    return kept === 1 ? { [APART]: run } : JSON.parse(text);
  }

  async cancel(id: string, work: "ask" | "stopped" | "stop_requested"): Promise<Cancelled> {
    const [done, queue] = await this.#scripts.run<[Cancelled, Field?]>("cancel", id, work);
    // Only tidies up: a worker that takes the marked job fails it without a run, and it is deleted when its time is over.
    if (queue) await this.#queue(queue).then((opened) => opened.remove(id)).catch(() => {});
    return done;
  }

  async stops(ids: readonly string[]): Promise<readonly string[]> {
    return ids.length === 0 ? [] : await this.#scripts.run("stops", ...ids);
  }

  async markAbandoned(id: string): Promise<void> {
    await this.#scripts.run("mark", id, "abandoned", 1);
  }

  async markHandedBack(id: string, run: number): Promise<number> {
    return await this.#scripts.run("handBack", id, run);
  }

  async markFault(id: string, run: number, code?: number): Promise<void> {
    await this.#scripts.run("mark", id, "fault", JSON.stringify({ run, code }));
  }

  async ask(id: string, question: Question): Promise<Answer | undefined> {
    return parse(await this.#scripts.run<Field>("ask", id, question.key, JSON.stringify(question)));
  }

  async answerTo(id: string, key: string): Promise<Answer | undefined> {
    return parse(await this.#scripts.run<Field>("field", id, `answer:${key}`));
  }

  async answer(id: string, answers: { readonly [key: string]: Answer }): Promise<void> {
    const given = Object.entries(answers).flatMap(([key, answer]) => [key, JSON.stringify(answer)]);
    await this.#scripts.run("answer", id, ...given);
  }

  async list(owner: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    return await this.#scripts.run("list", owner, cursor ?? "", limit);
  }

  async due(limit: number): Promise<readonly string[]> {
    return await this.#scripts.run("due", limit);
  }

  async postpone(id: string, ms: number): Promise<void> {
    await this.#scripts.run("postpone", id, ms);
  }

  async expire({ id, owner, queue }: Snapshot): Promise<boolean> {
    // In this order, so that whoever finds it half done does it again.
    await this.#scripts.run("mark", id, "expired", 1);
    if (await (await this.#queue(queue)).remove(id) !== 1) return false;
    await this.#scripts.run("forget", id, owner, EXPIRED_TOLD_MS);
    return true;
  }

  /** Gives when each was stored, or what was wrong with it. */
  async #storeMany(tasks: readonly Stored[]): Promise<readonly (number | Error)[]> {
    const all = await this.#storeOnce(tasks, false);
    const unknown = tasks.filter((_, index) => isUnknownScript(all[index]));
    if (unknown.length === 0) return all;
    // Redis is new, or has forgotten BullMQ's scripts. Of these tasks nothing is stored.
    const again = [...await this.#storeOnce(unknown, true)];
    return all.map((stored) => isUnknownScript(stored) ? again.shift() ?? stored : stored);
  }

  /**
   * In one transaction, where each has its job and its record or neither: the records come last, for the jobs that are
   * there by then, from a script that is always sent with its text. It alone says what is stored.
   */
  async #storeOnce(tasks: readonly Stored[], texts: boolean): Promise<readonly (number | Error)[]> {
    const transaction = this.#begin({ texts });
    // It takes a transaction as well; its type only knows the client.
    for (const { job } of tasks) await job.addJob(transaction as unknown as IRedisClient);
    transaction.runText(...this.#scripts.command("create", ...tasks.flatMap(toRecord)));
    const replies = await transaction.exec();
    const records = replies.at(-1);
    const stored = Array.isArray(records?.value) ? records.value : [];
    return tasks.map((_, index) => {
      const at: unknown = stored[index];
      return typeof at === "number" ? at : replies[index]?.error ?? records?.error ?? new Error(String(at));
    });
  }

  async #readMany(wanted: readonly Wanted[]): Promise<readonly (Snapshot | undefined)[]> {
    const pairs = wanted.flatMap(({ id, owner }) => [id, owner]);
    const [now, ...looks]: [number, ...Found<Look>[]] = JSON.parse(await this.#scripts.run("read", ...pairs));
    return wanted.map(({ id }, index) => toSnapshot(id, now, looks[index] ?? false));
  }
}

/** The arguments of the script `create`. */
function toRecord({ queue, task }: Stored): (string | number)[] {
  const { id, owner, job, resultTtl, retry, delay = 0 } = task;
  const fields = ["job", job, "attempts", retry.attempts, ...(delay > 0 ? ["delayed", 1] : [])];
  return [id, owner, queue, delay, resultTtl, fields.length, ...fields];
}

function toSnapshot(id: string, now: number, look: Found<Look>): Snapshot | undefined {
  if (look === false) return undefined;
  const [recordValues, state, due, jobValues, questions] = look;
  const record = zip(RECORD_FIELDS, recordValues);
  const job = zip(JOB_FIELDS, jobValues);
  return {
    id,
    readAt: now,
    queue: record.queue ?? "",
    job: record.job ?? "",
    owner: record.owner ?? "",
    resultTtl: Number(record.ttl),
    createdAt: Number(record.createdAt),
    attempts: Number(record.attempts),
    delayed: record.delayed !== undefined,
    changes: Number(record.changes ?? 0),
    changedAt: Number(record.changedAt ?? 0),
    questions: questions === false ? undefined : questions.map((question) => JSON.parse(question)),
    stopRequested: record.stop !== undefined,
    cancelled: record.work === undefined ? undefined : {
      work: record.work as CancelledTask["work"],
      at: Number(record.workAt),
      attempt: Number(record.workAttempt),
      progress: parse(record.workProgress ?? null),
      started: Number(record.workRun),
    },
    goneAt: number(record.goneAt),
    fault: record.fault === undefined ? undefined : JSON.parse(record.fault),
    handedBack: number(record.handedBack),
    handBacks: Number(record.handBacks ?? 0),
    expired: record.expired !== undefined,
    state,
    dueAt: due === false ? undefined : due,
    processedOn: number(job.processedOn),
    finishedOn: number(record.endedAt) ?? number(job.finishedOn),
    started: Number(job.ats ?? 0),
    ended: Number(job.atm ?? 0),
    stalled: Number(job.stc ?? 0),
    progress: parse(job.progress ?? null), // BullMQ on Node stores "" for `undefined`.
    failedReason: job.failedReason,
  };
}

function zip<Name extends string>(names: readonly Name[], values: readonly Found<string>[]) {
  const fields: { [name in Name]?: string } = {};
  for (const [index, name] of names.entries()) {
    const value = values[index];
    if (value !== false) fields[name] = value;
  }
  return fields;
}

function number(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}

/** `undefined` for what is not there, and for what is no JSON: one bad text must not keep others from being read. */
function parse<T extends Answer | Json>(text: Field): T | undefined {
  try {
    return text === null ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
