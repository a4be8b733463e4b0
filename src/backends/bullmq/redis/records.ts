/**
 * The records beside BullMQ's jobs: one hash per task, a sorted set per owner, and one by expiry. All times are by Redis's
 * clock, in ms.
 *
 * @module
 */
import type { Job, Queue } from "bullmq";
import type { KeyStore, LogLine, NewTask, ProgressReport } from "../../../backend.ts";
import type { QuestionState } from "../../../questions/open.ts";
import { type Answer, type Json, KEY_TTL_MS, type NewQuestion, type ResultValue, TOMBSTONE_MS } from "../../../task.ts";
import { batched, type BatchOptions } from "../../shared/batch.ts";
import type { KeyCondition } from "../../shared/store/store.ts";
import { addJobTo } from "../internals.ts";
import { fromStored, toStored, withoutRecord } from "../result.ts";
import type { RedisScripts } from "./scripts/run.ts";
import { isUnknownScript, type transactionsOn } from "./transaction.ts";
import { CONDITION_FAILED, createArguments } from "./scripts/create.ts";
import { askArguments, parseQuestionState } from "./scripts/questions.ts";
import type { NewLines } from "../../../task_log/newest_lines.ts";
import { lineArgument, parseLine } from "./scripts/log.ts";
import { parse, parseReply } from "./scripts/read.ts";
import { answerArguments, type AnswerRequest, parseStored, type Stored } from "./scripts/resuming/answer.ts";
import type { Snapshot } from "../snapshot.ts";

/** What became of a request to cancel; `asked`: the task runs, and its worker was asked to stop. */
export type CancelReply = "unknown" | "finished" | "asked" | "cancelled";

/** A run of a task, which holds the task as long as this token locks its job. */
export interface Hold {
  readonly id: string;
  /** Counts the runs of the task, from 1. */
  readonly run: number;
  readonly token: string;
}

/** A task to read, the owner that it must have ("" for any), and whether to read its result. */
interface ReadRequest {
  readonly id: string;
  readonly owner: string;
  readonly result: boolean;
}

/** A task to store. */
interface StoreRequest {
  readonly job: Job;
  readonly queue: string;
  readonly task: NewTask;
  /** The length of its input. */
  readonly size: number;
  readonly condition?: KeyCondition;
}

/** The most tasks that are read together. */
const MAX_READS = 500;

/** The most tasks that are stored together. */
const MAX_WRITES = 50;

/** How many batches may be under way: Redis handles them in order, and a long way to it costs no throughput. */
const AT_ONCE = 16;

/**
 * How many tasks are enough for another batch while one is under way: Redis handles that one while we prepare this one.
 */
const ENOUGH_WRITES = 8;

/** The most text under way to be stored, in UTF-16 units: whatever is sent behind it has to wait for all of it. */
const MAX_SIZE = 4_194_304;

/** How long a call waits for its turn while Redis is busy, in ms. */
const QUEUE_TIMEOUT_MS = 5_000;

/** Our records on Redis. An answer for which only a sweep, a purge or a subscription waits has no deadline; all others have one. */
export class RedisRecords implements KeyStore {
  readonly #read: (request: ReadRequest) => Promise<Snapshot | undefined>;
  readonly #store: (request: StoreRequest) => Promise<number | Error>;
  readonly #answer: (request: AnswerRequest) => Promise<Stored | Error>;
  readonly #scripts: RedisScripts;
  readonly #begin: ReturnType<typeof transactionsOn>;
  readonly #queue: (name: string) => Promise<Queue>;

  /** `begin` begins a transaction, `queue` opens BullMQ's queues. */
  constructor(
    scripts: RedisScripts,
    begin: ReturnType<typeof transactionsOn>,
    queue: (name: string) => Promise<Queue>,
  ) {
    this.#scripts = scripts;
    this.#begin = begin;
    this.#queue = queue;
    const options: BatchOptions = {
      atOnce: AT_ONCE,
      maxSize: MAX_SIZE,
      inTime: (answer, size) => scripts.deadline.wait(answer, size),
      queueTimeout: QUEUE_TIMEOUT_MS,
    };
    this.#read = batched((requests) => this.#readMany(requests), MAX_READS, options);
    const writes = { ...options, enough: ENOUGH_WRITES };
    this.#store = batched((requests) => this.#storeMany(requests), MAX_WRITES, writes, ({ size }) => size);
    this.#answer = batched((requests) => this.#answerMany(requests), MAX_WRITES, writes);
  }

  /**
   * Reads a task, in the next read with all that are called during one. For an owner, another's task is like one that never
   * existed: it is not read, so that the time reveals nothing.
   */
  read(id: string, owner: string = "", result: boolean = false): Promise<Snapshot | undefined> {
    return this.#read({ id, owner, result });
  }

  /**
   * Stores the record and queues the job, both or neither. Waits for its turn while Redis is busy; rejects if that does
   * not come, with nothing sent, or if no answer comes in time for an input of this size. Resolves with when it was stored,
   * or with `undefined` if the condition does not hold.
   */
  async create(request: StoreRequest): Promise<number | undefined> {
    const storedAt = await this.#store(request);
    if (typeof storedAt === "number") return storedAt;
    if (storedAt.message.includes(CONDITION_FAILED)) return undefined;
    throw storedAt;
  }

  /** The text of an owner's key. */
  async readKey(owner: string, key: string): Promise<string | undefined> {
    return await this.#scripts.deadline.wait(this.#scripts.client.get(this.#scripts.key(`key:${owner}:${key}`))) ??
      undefined;
  }

  /** Replaces or deletes the text of a key, if it is `from` now. Resolves with whether it did. */
  async writeKey(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    return await this.#scripts.run<number>("rename", owner, key, from ?? "", to ?? "", KEY_TTL_MS) === 1;
  }

  /** The queues that hold tasks. */
  async queues(): Promise<readonly string[]> {
    return await this.#scripts.client.smembers(this.#scripts.key("queues"));
  }

  /** The result of a completed task that was read with its result. */
  async result({ id, result }: Snapshot): Promise<ResultValue> {
    return await fromStored(result ?? null, (field) => this.#field(id, field));
  }

  /** Stores in the record what of a result belongs there. Resolves with what is to be stored in the job. */
  async storeResult({ id, run }: Hold, result: ResultValue): Promise<Json> {
    const { job, apart } = toStored(run, result);
    if (apart === undefined) return job;
    const { field, text } = apart;
    const stored = await this.#scripts.deadline.wait(this.#scripts.send<0 | 1>("mark", id, field, text), text.length);
    return stored === 1 ? job : withoutRecord(result);
  }

  /**
   * Cancels an unfinished task. With "ask" the worker of a running one is only asked to stop; "stop_requested" no
   * longer waits for its answer.
   */
  async cancel(id: string, work: "ask" | "stop_requested"): Promise<CancelReply> {
    const [reply, queue] = await this.#scripts.run<[CancelReply, string?]>("cancel", id, work);
    const removed = queue && this.#queue(queue).then((opened) => opened.remove(id));
    // This only tidies up: a worker that takes the marked job fails it without a run, and the job is deleted on expiry.
    if (removed) await this.#scripts.deadline.wait(removed).catch(() => {});
    return reply;
  }

  /** Returns those of these tasks that are to stop, or are cancelled. */
  async toStop(ids: readonly string[]): Promise<readonly string[]> {
    return ids.length === 0 ? [] : await this.#scripts.run("stops", ...ids);
  }

  /** Cancels a task whose run has stopped, if the run still holds it. */
  async markStopped({ id, token }: Hold): Promise<void> {
    await this.#scripts.run("cancel", id, "stopped", token);
  }

  /** Stores that the code of a run was given up and may run on: a later cancel cannot say that it has stopped. */
  async markAbandoned(hold: Hold): Promise<void> {
    await this.#markHeld(hold, "abandoned", 1);
  }

  /** Stores that a run is handed back because its worker shuts down. Resolves with how many were at this place. */
  async markHandedBack({ id, run, token }: Hold): Promise<number> {
    return await this.#scripts.run("handBack", id, token, run);
  }

  /** Stores that a run ends with a fault. */
  async markFault(hold: Hold, code?: number): Promise<void> {
    await this.#markHeld(hold, "fault", JSON.stringify({ run: hold.run, code }));
  }

  /** Stores that a run ends with an error after which the task may be tried again. */
  async markFailed(hold: Hold): Promise<void> {
    await this.#markHeld(hold, "failedRun", hold.run);
  }

  /** Stores how far a run of a job in this queue is, and adds lines to the log of its task, if it holds the job. */
  async storeProgress(
    queue: string,
    { id, run, token }: Hold,
    report: ProgressReport,
    { skipped, lines }: NewLines,
  ): Promise<void> {
    const log = lines.length > 0 ? [skipped, ...lines.map(lineArgument)] : [];
    await this.#scripts.run("report", queue, id, token, JSON.stringify({ ...report, run }), ...log);
  }

  async log(id: string): Promise<readonly LogLine[]> {
    const lines = await this.#scripts.deadline.wait(this.#scripts.client.lrange(this.#scripts.key(`log:${id}`), 0, -1));
    return lines.map(parseLine);
  }

  /** Stores questions of a run that holds its task. Resolves with the state of each; `undefined` for a job of others. */
  async storeQuestions(hold: Hold, questions: readonly NewQuestion[]): Promise<readonly QuestionState[] | undefined> {
    const { id, run, token } = hold;
    const replies = await this.#scripts.run<string[] | null>("ask", id, token, run, ...askArguments(questions));
    return replies?.map(parseQuestionState);
  }

  async readAnswer(id: string, key: string): Promise<Answer | undefined> {
    return parse(await this.#field(id, `answer:${key}`));
  }

  /** Stores answers to open questions of an owner's task, and reads it. Waits for its turn as `create` does. */
  async storeAnswers(request: AnswerRequest): Promise<Stored> {
    const stored = await this.#answer(request);
    if (stored instanceof Error) throw stored;
    return stored;
  }

  /** The ids of an owner's tasks before the cursor, newest first. */
  async list(owner: string, cursor: string | undefined, limit: number): Promise<readonly string[]> {
    return await this.#scripts.run("list", owner, cursor ?? "", limit);
  }

  /** The tasks that may have expired. */
  async due(limit: number): Promise<readonly string[]> {
    return await this.#scripts.send("due", limit);
  }

  /** Leaves a task out of `due` for this time. */
  async postpone(id: string, ms: number): Promise<void> {
    await this.#scripts.send("postpone", id, ms);
  }

  /**
   * Deletes job and record of a finished task, and remembers for `tombstone` ms that it has expired. Resolves with `false` for a
   * cancelled job that still runs: BullMQ deletes none that a worker holds.
   */
  async expire({ id, owner, queue }: Snapshot, tombstone: number = TOMBSTONE_MS): Promise<boolean> {
    // In this order, so that it is repeated if it fails half-way.
    await this.#scripts.send("mark", id, "expired", 1);
    if (await (await this.#queue(queue)).remove(id) !== 1) return false;
    await this.#scripts.send("forget", id, owner, tombstone);
    return true;
  }

  #field(id: string, field: string): Promise<string | null> {
    return this.#scripts.deadline.wait(this.#scripts.client.hget(this.#scripts.key(`task:${id}`), field));
  }

  async #markHeld({ id, token }: Hold, field: string, value: string | number): Promise<void> {
    await this.#scripts.run("mark", id, field, value, token);
  }

  /** Returns for each when it was stored, or its error. */
  async #storeMany(requests: readonly StoreRequest[]): Promise<readonly (number | Error)[]> {
    const all = await this.#storeOnce(requests, false);
    const unknown = requests.filter((_, index) => isUnknownScript(all[index]));
    if (unknown.length === 0) return all;
    // Redis was restarted, or has forgotten BullMQ's scripts. Nothing of these tasks is stored.
    const again = [...await this.#storeOnce(unknown, true)];
    return all.map((stored) => isUnknownScript(stored) ? again.shift() ?? stored : stored);
  }

  /**
   * Stores tasks in one transaction, each whole or not at all: the records come last, for the jobs that exist by then,
   * in a script that is always sent with its text. Its reply alone says what is stored.
   */
  async #storeOnce(requests: readonly StoreRequest[], texts: boolean): Promise<readonly (number | Error)[]> {
    const transaction = this.#begin(texts);
    for (const { job } of requests) await addJobTo(job, transaction);
    transaction.runText(...this.#scripts.command("create", ...requests.flatMap(createArguments)));
    const replies = await transaction.exec();
    const records = replies.at(-1);
    const stored = Array.isArray(records?.value) ? records.value : [];
    return requests.map((_, index) => {
      const at: unknown = stored[index];
      return typeof at === "number" ? at : replies[index]?.error ?? records?.error ?? new Error(String(at));
    });
  }

  async #answerMany(requests: readonly AnswerRequest[]): Promise<readonly (Stored | Error)[]> {
    return parseStored(requests, await this.#scripts.send("answer", ...requests.flatMap(answerArguments)));
  }

  async #readMany(requests: readonly ReadRequest[]): Promise<readonly (Snapshot | undefined)[]> {
    const args = requests.flatMap(({ id, owner, result }) => [id, owner, result ? 1 : 0]);
    return parseReply(requests.map(({ id }) => id), await this.#scripts.send("read", ...args));
  }
}
