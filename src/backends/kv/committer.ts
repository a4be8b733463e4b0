/**
 * Group commit: writes that are made at the same moment go to disk together. Every KV commit costs one fsync, whatever it
 * holds, so fewer commits are the only way to be faster.
 *
 * @module
 */
import { BackendError, InvalidValue, JobsError } from "../../errors.ts";
import type { Outcome, TaskInfo } from "../../task.ts";
import { turn } from "../../waiting.ts";
import { eventKey } from "./keys.ts";
import { readAll, untilUnlocked } from "./reading.ts";
import { MAX_TEXT } from "./value_limits.ts";

/** Changes that belong together: all are written if all checks hold, and none otherwise. */
export interface Write {
  readonly checks?: readonly Deno.AtomicCheck[];
  readonly sets?: readonly { readonly key: Deno.KvKey; readonly value: unknown; readonly expireIn?: number }[];
  readonly deletes?: readonly Deno.KvKey[];
  /** By how much counters change: these add up, so writers never wait for each other. */
  readonly counts?: readonly Count[];
  /** New values of numbers that only rise: a lower one changes nothing. */
  readonly raises?: readonly { readonly key: Deno.KvKey; readonly to: number }[];
  /** The task after the change, as an object and as JSON, and how it has ended unless that is large. */
  readonly event?: { readonly task: TaskInfo; readonly text: string; readonly outcome?: Outcome };
  /** The document that it changes. */
  readonly document?: string;
  /** What is written with it, as it is at the moment of the commit, after everything else of that commit. */
  readonly latest?: readonly Latest[];
  /** An upper bound of the size of its values, in bytes. */
  readonly bytes: number;
}

/** A value that changes all the time. If several writes of a commit name its key, the last one of them counts. */
export interface Latest {
  readonly key: Deno.KvKey;
  /** The value now. */
  readonly value: unknown;
}

export interface Count {
  readonly key: Deno.KvKey;
  readonly by: number;
}

/** KV takes 100 checks, 1,000 mutations and 819,200 bytes in one commit. What our limits leave is for events and for `latest`. */
const MAX_CHECKS = 100;
const MAX_MUTATIONS = 900;
const MAX_BYTES = 600_000;

/** KV's error texts for more than that, for a value over 65,536 bytes and for a key over 2,048. */
const REFUSED = /^(Value|Key|Total (mutation|key) size) too large|^Too many (checks|mutations)|^Invalid mutation/;

/** How long an event is kept, in ms. A process that could not read for longer rereads its tasks. */
const EVENT_TTL_MS = 60_000;

/** Receives the tasks and documents that a commit has changed, and how tasks have ended. */
type Committed = (
  tasks: readonly TaskInfo[],
  documents: readonly string[],
  outcomes: ReadonlyMap<TaskInfo, Outcome>,
) => void;

interface Pending {
  readonly write: Write;
  readonly resolve: (versionstamp: string | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes for one process, one group after another. */
export class Committer {
  readonly #kv: Deno.Kv;
  readonly #writer: string;
  readonly #onCommitted: Committed;
  readonly #checkFile: () => void;
  #queue: Pending[] = [];
  #working: Promise<void> | undefined;
  /** Searches for tasks that are to be claimed at once. */
  readonly #searches = new Set<Promise<unknown>>();
  #eventNumber = 0;

  /** `onCommitted` is called with what each commit has changed. `checkFile` throws if the file is gone. */
  constructor(kv: Deno.Kv, writer: string, onCommitted: Committed, checkFile: () => void = () => {}) {
    this.#kv = kv;
    this.#writer = writer;
    this.#onCommitted = onCommitted;
    this.#checkFile = checkFile;
  }

  /**
   * Resolves with the versionstamp once the write is on disk, or with `null` if one of its checks does not hold. Rejects
   * with `InvalidValue` for a value that KV can never store, and with `BackendError` while KV fails.
   */
  commit(write: Write): Promise<string | null> {
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    this.#queue.push({ write, resolve, reject });
    this.#working ??= this.#work();
    return promise;
  }

  /** The next group waits for this search, so that the claims of what it finds need no commit of their own. */
  async withClaims<T>(search: Promise<T>): Promise<T> {
    const over = search.catch(() => {}); // The caller gets the error.
    this.#searches.add(over);
    return await search.finally(() => this.#searches.delete(over));
  }

  /** Resolves once nothing is left to write. */
  async drained(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    await this.#gather(true);
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, groupLength(this.#queue));
      try {
        await this.#write(group);
      } catch (cause) {
        const error = cause instanceof JobsError
          ? cause
          : new BackendError(`Cannot write to the KV file: ${cause}`, { cause });
        group.forEach(({ reject }) => reject(error)); // Promises that are settled already ignore it.
      }
      await this.#gather(this.#queue.length === 0);
    }
    // In the same tick in which the queue was found empty, so that the next write starts the work again.
    this.#working = undefined;
  }

  /**
   * Gives code that can go on time to make its writes, so that they join the next group. If other writes wait already, the
   * next group begins at once. Code that ends frees a slot, for which the worker searches for a task one turn later.
   */
  async #gather(mayWait: boolean): Promise<void> {
    if (mayWait) await turn().then(turn);
    if (this.#searches.size > 0) await Promise.all(this.#searches).then(turn);
  }

  /** Writes a group: as a whole, or else without what has changed meanwhile, or in halves, in order. Throws if KV fails. */
  async #write(group: readonly Pending[]): Promise<void> {
    try {
      const versionstamp = await this.#apply(group.map(({ write }) => write));
      if (versionstamp !== null || group.length === 1) return group.forEach(({ resolve }) => resolve(versionstamp));
      const rest = await this.#unchanged(group);
      if (rest.length < group.length) return rest.length === 0 ? undefined : await this.#write(rest);
    } catch (cause) {
      if (!isRefused(cause)) throw cause;
      if (group.length === 1) return group.forEach(({ write, reject }) => reject(refusal(write, cause)));
    }
    // One is too large, or all of them together are. Or a check holds again.
    const half = Math.ceil(group.length / 2);
    await this.#write(group.slice(0, half));
    await this.#write(group.slice(half));
  }

  /** The members whose checks hold. The others are told that theirs do not. */
  async #unchanged(group: readonly Pending[]): Promise<readonly Pending[]> {
    const keys = new Map(group.flatMap(({ write: { checks = [] } }) => checks.map(({ key }) => [nameOf(key), key])));
    const found = await readAll(this.#kv, [...keys.values()]);
    const versions = new Map([...keys.keys()].map((name, index) => [name, found[index]?.versionstamp]));
    const holds = ({ write: { checks = [] } }: Pending) =>
      checks.every(({ key, versionstamp }) => versions.get(nameOf(key)) === versionstamp);
    for (const one of group) if (!holds(one)) one.resolve(null);
    return group.filter(holds);
  }

  async #apply(writes: readonly Write[]): Promise<string | null> {
    const events = writes.flatMap(({ event }) => event ?? []);
    const documents = writes.flatMap(({ document }) => document ?? []);
    const texts = eventTexts([
      ...events.map(({ text }) => text),
      ...documents.map((document) => JSON.stringify({ document })),
    ]);
    const atomic = this.#kv.atomic();
    for (const check of checksOf(writes).values()) atomic.check(check);
    for (const { sets = [], deletes = [], raises = [] } of writes) {
      for (const { key, value, expireIn } of sets) atomic.set(key, value, { expireIn });
      for (const key of deletes) atomic.delete(key);
      for (const { key, to } of raises) atomic.max(key, BigInt(to));
    }
    for (const { key, by } of sums(writes)) atomic.sum(key, BigInt.asUintN(64, BigInt(by)));
    texts.forEach((text, index) => {
      atomic.set(eventKey(this.#writer, this.#eventNumber + index + 1), text, { expireIn: EVENT_TTL_MS });
    });
    const latest = new Map(writes.flatMap(({ latest = [] }) => latest.map((one) => [nameOf(one.key), one])));
    for (const { key, value } of latest.values()) atomic.set(key, value);
    const result = await untilUnlocked(() => atomic.commit());
    this.#checkFile();
    if (!result.ok) return null;
    this.#eventNumber += texts.length;
    if (texts.length > 0) this.#report(events, documents);
    return result.versionstamp;
  }

  /** The write is on disk, so an error of a listener must not reject it: it is reported like that of an event listener. */
  #report(events: readonly NonNullable<Write["event"]>[], documents: readonly string[]): void {
    const outcomes = new Map<TaskInfo, Outcome>();
    for (const { task, outcome } of events) if (outcome) outcomes.set(task, outcome);
    try {
      this.#onCommitted(events.map(({ task }) => task), documents, outcomes);
    } catch (error) {
      reportError(error);
    }
  }
}

/** Whether a write exceeds KV's limits, so that no later try can succeed. KV's errors have no codes, only texts. */
function isRefused(error: unknown): error is TypeError {
  return error instanceof TypeError && REFUSED.test(error.message);
}

function refusal({ event }: Write, cause: TypeError): InvalidValue {
  const what = event ? `a change of task ${event.task.id}` : "a value";
  return new InvalidValue(`Cannot store ${what} in the KV file: ${cause.message}. Make what is stored smaller.`, {
    cause,
  });
}

/**
 * How many of the first writes fit into one commit; at least one. KV makes all checks of a commit before its first write,
 * and gives everything that it writes one version. So a write that checks or sets a key which an earlier one has set waits
 * for the next commit: otherwise its check would hold although the key has changed, or both would get the same version.
 */
function groupLength(queue: readonly Pending[]): number {
  const [written, checked] = [new Set<string>(), new Set<string>()];
  let [mutations, bytes] = [0, 0];
  for (const [index, { write }] of queue.entries()) {
    const { checks = [], sets = [], deletes = [], counts = [], raises = [] } = write;
    const reads = checks.map(({ key }) => nameOf(key));
    const writes = [...sets.map(({ key }) => nameOf(key)), ...deletes.map(nameOf)];
    for (const name of reads) checked.add(name);
    mutations += writes.length + counts.length + raises.length;
    bytes += write.bytes;
    const clash = [...reads, ...writes].some((name) => written.has(name));
    const full = checked.size > MAX_CHECKS || mutations > MAX_MUTATIONS || bytes > MAX_BYTES;
    if (index > 0 && (clash || full)) return index;
    for (const name of writes) written.add(name);
  }
  return queue.length;
}

/** The checks of a group, each once: many claims check the same pause. */
function checksOf(writes: readonly Write[]): ReadonlyMap<string, Deno.AtomicCheck> {
  const all = writes.flatMap(({ checks = [] }) => checks);
  return new Map(all.map((check) => [`${nameOf(check.key)}\0${check.versionstamp}`, check]));
}

/** What a group adds to each counter. KV's counters have no sign: they wrap around, so a negative number subtracts. */
function sums(writes: readonly Write[]): Count[] {
  const sums = new Map<string, Count>();
  for (const { key, by } of writes.flatMap(({ counts = [] }) => counts)) {
    const name = nameOf(key);
    sums.set(name, { key, by: by + (sums.get(name)?.by ?? 0) });
  }
  return [...sums.values()].filter(({ by }) => by !== 0);
}

/** A key as text, for a set. */
function nameOf(key: Deno.KvKey): string {
  return key.join("\0");
}

/** The events of one commit, in as few KV values as possible. */
function eventTexts(events: readonly string[]): string[] {
  const texts: string[] = [];
  let current = "";
  for (const text of events) {
    if (current !== "" && current.length + text.length > MAX_TEXT) {
      texts.push(`[${current}]`);
      current = "";
    }
    current += current === "" ? text : `,${text}`;
  }
  if (current !== "") texts.push(`[${current}]`);
  return texts;
}
