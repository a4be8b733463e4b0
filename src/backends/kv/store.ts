/**
 * Tasks in a KV file.
 *
 * @module
 */
import type { JobLimits, LogLine, RecordedStep, StreamStore } from "../../backend.ts";
import { BackendError } from "../../errors.ts";
import { PAUSED } from "../../operator/pauses.ts";
import { isFinished, type Json, KEY_TTL_MS, type Outcome, type TaskInfo } from "../../task.ts";
import { batched } from "../shared/batch.ts";
import { idNamedBy } from "../../contract/task_key.ts";
import { claimed, type TaskRecord } from "../shared/record.ts";
import type { KeyCondition, LeasedWorker, OperatingStore, Queue, Store, WorkerLease } from "../shared/store/store.ts";
import { blobOf, claimBlob, dropBlob, readBlob, type Text, writeBlob } from "./values/blobs.ts";
import type { Committer, Latest } from "./committer.ts";
import { checkKey, documentKey, nameKey, taskKey } from "./keys.ts";
import { isAlive, leaseOf, workersIn } from "./lease.ts";
import { type ClaimWrites, KvLimits } from "./job_limits.ts";
import { queueOf } from "./queue.ts";
import { list, readAll } from "./reading.ts";
import { expiryIn, refuseTooLarge } from "./value_limits.ts";
import { documentsIn } from "./values/documents.ts";
import { logWriting, readLog } from "./values/log.ts";
import { expiryOf, retainedUntil } from "./operating/retention.ts";
import { operatingOf } from "./operating/operating.ts";
import { KvSteps } from "./values/steps.ts";
import { knownStepsOf, type KvEntry, type StoredTask, writing } from "./stored.ts";
import { streamsIn } from "./values/streams.ts";

export interface KvStoreOptions {
  /** How long the lease of a worker lasts, in ms. */
  readonly lease: number;
  /** Throws `StoreLost` if the file is gone. */
  readonly checkUsable?: () => void;
  /** The time, in ms since the epoch; default: the machine's. */
  readonly now?: () => number;
}

/** The longest text kept in the record, in UTF-16 units: input and outcome together are far below KV's 65,536 bytes. */
const INLINE_LIMIT = 8_000;

/** The most keys that are read at one moment. */
const MAX_READ = 100;

/** How long the value of a check is kept, in ms. */
const CHECK_TTL_MS = 60_000;

/** Reads and writes the tasks of a KV file. */
export class KvStore implements Store<KvEntry> {
  readonly streams: StreamStore;
  readonly documents: Store["documents"];
  readonly operating: OperatingStore<KvEntry>;
  readonly now: () => number;
  readonly checkUsable: () => void;
  readonly #kv: Deno.Kv;
  readonly #committer: Committer;
  readonly #steps: KvSteps;
  readonly #limits: KvLimits;
  readonly #lease: number;
  /** The leases of this process's workers, by the workers' names. */
  readonly #leases = new Map<string, Latest>();
  /** The name of this process in the keys of checks. */
  readonly #name: string = crypto.randomUUID();
  readonly #get: (key: Deno.KvKey) => Promise<Deno.KvEntryMaybe<unknown>>;

  constructor(kv: Deno.Kv, committer: Committer, options: KvStoreOptions) {
    const { lease, checkUsable = () => {}, now = () => Date.now() } = options;
    this.#kv = kv;
    this.#committer = committer;
    this.#steps = new KvSteps(kv, committer);
    this.#lease = lease;
    this.checkUsable = checkUsable;
    this.now = now;
    this.streams = streamsIn(kv, committer);
    this.documents = documentsIn(kv, committer);
    this.#limits = new KvLimits(kv, now);
    this.#get = batched((keys) => readAll<unknown>(kv, keys), MAX_READ);
    const read = (id: string, owner: string) => this.read(id, owner);
    this.operating = operatingOf(kv, committer, { now, read, get: this.#get });
  }

  async create(record: TaskRecord, input: string, condition?: KeyCondition): Promise<boolean> {
    return await this.#create({ record, input: await this.#storeText(input) }, condition) !== undefined;
  }

  async start(record: TaskRecord, input: string, worker: string, condition?: KeyCondition): Promise<KvEntry | boolean> {
    const text = await this.#storeText(input);
    const started = { record: claimed(record, worker, this.now()), input: text };
    const entry = await this.#create(started, condition, this.#claiming(started.record));
    return entry ?? await this.#create({ record, input: text }, condition) !== undefined;
  }

  async #create(
    stored: StoredTask,
    condition: KeyCondition | undefined,
    { checks = [], latest }: ClaimWrites = {},
  ): Promise<KvEntry | undefined> {
    const { id, owner } = stored.record.info;
    const named = condition && await this.#namedAs(condition, stored.record.info);
    if (condition && !named) return undefined;
    const versionstamp = await this.#committer.commit({
      ...writing(stored, undefined),
      checks: named ? [named, ...checks] : checks,
      deletes: claimBlob(blobOf(stored.input)),
      latest,
    });
    return versionstamp === null
      ? undefined
      : { ...stored, check: { key: taskKey(owner, id), versionstamp }, steps: new Map() };
  }

  async readKey(owner: string, key: string): Promise<string | undefined> {
    return (await this.#named(owner, key)).value ?? undefined;
  }

  async writeKey(owner: string, key: string, from: string | undefined, to: string | undefined): Promise<boolean> {
    const named = await this.#named(owner, key);
    if ((named.value ?? undefined) !== from) return false;
    const change = to === undefined
      ? { deletes: [named.key] }
      : { sets: [{ key: named.key, value: to, expireIn: expiryIn(KEY_TTL_MS) }] };
    return await this.#committer.commit({ ...change, checks: [named], bytes: 100 + 2 * (to?.length ?? 0) }) !== null;
  }

  /** What a commit checks for a condition; `undefined` if it does not hold already. */
  async #namedAs({ name, names }: KeyCondition, { id, owner }: TaskInfo): Promise<Deno.AtomicCheck | undefined> {
    if (names === "nothing") return { key: nameKey(owner, name), versionstamp: null };
    const named = await this.#named(owner, name);
    return named.value !== null && idNamedBy(named.value) === id ? named : undefined;
  }

  async #named(owner: string, key: string): Promise<Deno.KvEntryMaybe<string>> {
    return await this.#get(nameKey(owner, key)) as Deno.KvEntryMaybe<string>;
  }

  async read(id: string, owner: string): Promise<KvEntry | undefined> {
    const { key, value, versionstamp } = await this.#get(taskKey(owner, id)) as Deno.KvEntryMaybe<StoredTask>;
    return value === null ? undefined : { ...value, check: { key, versionstamp } };
  }

  async change(
    entry: KvEntry,
    record: TaskRecord,
    outcome?: Outcome,
    lines: readonly LogLine[] = [],
    extra: ClaimWrites = {},
  ): Promise<KvEntry | undefined> {
    const { input, record: before, check } = entry;
    const { info } = record;
    refuseTooLarge(record, before);
    const text = outcome && await this.#storeText(JSON.stringify(outcome), expiryOf(info));
    const isClaim = before.holder === undefined && record.holder !== undefined;
    const ends = isFinished(info);
    const steps = knownStepsOf(entry);
    const mayHaveSteps = steps?.size !== 0;
    const stored: StoredTask = {
      record,
      input,
      ...(text && { outcome: text }),
      ...(record.holder === undefined && !ends && mayHaveSteps && { mayHaveSteps }),
    };
    const { sets = [], deletes = [], ...write } = writing(stored, before);
    const inputEnds = ends ? dropBlob(blobOf(input), retainedUntil(info)) : [];
    const gone = ends && mayHaveSteps
      ? await this.#steps.deletion(info.id, steps, this.now())
      : { sets: [], deletes: [] };
    const logs = lines.length > 0 || ends && info.logged !== undefined;
    const log = logs && await logWriting(this.#kv, info.id, lines, expiryOf(info));
    const claim = isClaim ? this.#claiming(record) : undefined;
    const versionstamp = await this.#committer.commit({
      ...write,
      latest: [...claim?.latest ?? [], ...extra.latest ?? []],
      checks: [check, ...claim?.checks ?? [], ...extra.checks ?? []],
      sets: [...sets, ...gone.sets, ...log ? log.sets : [], ...inputEnds],
      deletes: [...deletes, ...gone.deletes, ...log ? log.deletes : [], ...claimBlob(blobOf(text))],
      bytes: write.bytes + (log ? log.bytes : 0),
    });
    if (versionstamp === null) return undefined;
    // Until this commit, the worker that held the task may have recorded a step more.
    if (ends && steps === undefined) await this.#steps.forget(info.id, 0, this.now());
    return { ...stored, check: { key: taskKey(info.owner, info.id), versionstamp }, steps };
  }

  claim(entry: KvEntry, record: TaskRecord, limits: JobLimits): Promise<KvEntry | undefined> {
    return this.#limits.claim(entry, limits, (extra) => this.change(entry, record, undefined, undefined, extra));
  }

  log({ record: { info } }: KvEntry): Promise<readonly LogLine[]> {
    return readLog(this.#kv, info.id);
  }

  steps({ record: { info } }: KvEntry): Promise<readonly RecordedStep[]> {
    return this.#steps.read(info.id);
  }

  record({ record: { info }, check, steps }: KvEntry, step: RecordedStep): Promise<boolean> {
    return this.#steps.record(info.id, check, step, steps);
  }

  forget({ record: { info } }: KvEntry, from: number): Promise<void> {
    return this.#steps.forget(info.id, from, this.now());
  }

  input({ input }: KvEntry): Promise<Json | undefined> {
    return this.#load(input);
  }

  async outcome({ outcome, record }: KvEntry): Promise<Outcome | undefined> {
    if (outcome === undefined) return undefined;
    const found = await this.#load<Outcome>(outcome);
    if (found !== undefined) return found;
    throw new BackendError(
      `Cannot read the result of task ${record.info.id}: a piece of it is missing in the KV file.`,
    );
  }

  async list(owner: string, before: string | undefined, limit: number): Promise<readonly TaskInfo[]> {
    const prefix = taskKey(owner);
    const range = before === undefined ? { prefix } : { prefix, end: taskKey(owner, before) };
    const found = await list<StoredTask>(this.#kv, range, { reverse: true, limit });
    return found.map(({ value }) => value.record.info);
  }

  async check(): Promise<void> {
    const set = { key: checkKey(this.#name), value: this.#name, expireIn: CHECK_TTL_MS };
    await this.#committer.commit({ sets: [set], bytes: 100 });
  }

  async withWorker(jobs: readonly string[]): Promise<readonly string[]> {
    const workers = (await workersIn(this.#kv)).filter(({ value }) => isAlive(value, this.now()));
    return jobs.filter((job) => workers.some(({ value }) => value.jobs.includes(job)));
  }

  queue(): Queue<KvEntry> {
    return queueOf(this.#kv, this.#committer, this, this.#limits);
  }

  lease(worker: LeasedWorker, held: () => readonly TaskInfo[]): WorkerLease {
    const over = () => this.#leases.delete(worker.name);
    const lease = leaseOf(this.#kv, this.#committer, worker, { duration: this.#lease, held, now: this.now, over });
    this.#leases.set(worker.name, lease);
    return lease;
  }

  /**
   * What the commit of a claim checks and writes: once a pause is stored, no process claims a task of the job, and others
   * find the tasks of a dead worker by the list in its lease.
   */
  #claiming({ info: { job }, holder = "" }: TaskRecord): ClaimWrites {
    const lease = this.#leases.get(holder);
    return { checks: [{ key: documentKey(PAUSED + job), versionstamp: null }], latest: lease && [lease] };
  }

  async #storeText(text: string, expireIn?: number): Promise<Text> {
    if (text.length <= INLINE_LIMIT) return { inline: text };
    return { blob: await writeBlob(this.#committer, text, expireIn) };
  }

  async #load<T>(text: Text): Promise<T | undefined> {
    const json = "inline" in text ? text.inline : await readBlob(this.#kv, text.blob);
    return json === undefined ? undefined : JSON.parse(json);
  }
}
