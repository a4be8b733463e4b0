/**
 * Group commit: all writes of a moment go to disk as one. Every KV commit costs one fsync, whatever it holds, so fewer
 * commits are the only way to be faster.
 *
 * @module
 */
import { BackendError, InvalidValue, JobsError } from "../../errors.ts";
import type { TaskInfo } from "../../task.ts";
import { eventKey } from "./keys.ts";

/** What belongs together: it is written whole, if all its checks hold, or not at all. */
export interface Write {
  readonly checks?: readonly Deno.AtomicCheck[];
  readonly sets?: readonly { readonly key: Deno.KvKey; readonly value: unknown; readonly expireIn?: number }[];
  readonly deletes?: readonly Deno.KvKey[];
  /** The task that the write changes, as it is afterwards, and as JSON. */
  readonly event?: { readonly task: TaskInfo; readonly text: string };
  /** How large its values are, at most, in bytes. */
  readonly bytes: number;
}

/** KV takes 100 checks, 1,000 mutations and 819,200 bytes at once; the rest is room for events. */
const MAX_CHECKS = 100;
const MAX_MUTATIONS = 900;
const MAX_BYTES = 600_000;

/** How KV says so of what is more than that, or of a value over 65,536 bytes or a key over 2,048. */
const REFUSED = /^(Value|Key|Total (mutation|key) size) too large|^Too many (checks|mutations)|^Invalid mutation/;

/** The most text of one event value: two bytes a unit stay below KV's 65,536. */
const MAX_EVENT_TEXT = 30_000;

/** Events are for those who listen now. Who has missed them for longer reads anew. */
const EVENT_TTL_MS = 60_000;

/** How long a write is tried again while other processes hold the database. */
const LOCKED_FOR_MS = 10_000;

/**
 * How long it pauses at most before it is tried again, in ms: at first about as long as a commit takes, then longer, so
 * that many who meet come apart.
 */
const FIRST_PAUSE_MS = 2;
const LONGEST_PAUSE_MS = 20;

interface Pending {
  readonly write: Write;
  readonly resolve: (versionstamp: string | null) => void;
  readonly reject: (error: unknown) => void;
}

/** Writes for one process, one group after the other. */
export class Committer {
  readonly #kv: Deno.Kv;
  readonly #writer: string;
  readonly #onCommitted: (events: readonly TaskInfo[]) => void;
  readonly #checkFile: () => void;
  #queue: Pending[] = [];
  #working: Promise<void> | undefined;
  #eventNumber = 0;

  /** `onCommitted` hears of the changes of each commit. `checkFile` throws if what was written will not last. */
  constructor(
    kv: Deno.Kv,
    writer: string,
    onCommitted: (events: readonly TaskInfo[]) => void,
    checkFile: () => void = () => {},
  ) {
    this.#kv = kv;
    this.#writer = writer;
    this.#onCommitted = onCommitted;
    this.#checkFile = checkFile;
  }

  /**
   * Resolves with the versionstamp once the write is on disk, or with `null` if one of its checks does not hold. Rejects
   * with `InvalidValue` for what KV can never store, and with `BackendError` while it fails.
   */
  commit(write: Write): Promise<string | null> {
    const { promise, resolve, reject } = Promise.withResolvers<string | null>();
    this.#queue.push({ write, resolve, reject });
    this.#working ??= this.#work();
    return promise;
  }

  /** Resolves once nothing is left to write. */
  async drained(): Promise<void> {
    while (this.#working) await this.#working;
  }

  async #work(): Promise<void> {
    await Promise.resolve(); // What is written in this very moment joins the first group.
    while (this.#queue.length > 0) {
      const group = this.#queue.splice(0, groupLength(this.#queue));
      try {
        await this.#write(group);
      } catch (cause) {
        const error = cause instanceof JobsError
          ? cause
          : new BackendError(`Cannot write to the KV file: ${cause}`, { cause });
        group.forEach(({ reject }) => reject(error)); // Who has had his answer hears nothing of it.
      }
    }
    // In the same moment in which the queue was seen empty: who writes next must find nobody at work.
    this.#working = undefined;
  }

  /** Writes a group. If that cannot be as a whole, each member has its own end, in the same order. Throws if KV fails. */
  async #write(group: readonly Pending[]): Promise<void> {
    let versionstamp: string | null;
    try {
      versionstamp = await this.#apply(group.map(({ write }) => write));
    } catch (cause) {
      if (!isRefused(cause)) throw cause;
      if (group.length === 1) return group.forEach(({ write, reject }) => reject(refusal(write, cause)));
      // In halves: it may be one member that is too large, or all together.
      const half = Math.ceil(group.length / 2);
      await this.#write(group.slice(0, half));
      return await this.#write(group.slice(half));
    }
    if (versionstamp !== null || group.length === 1) return group.forEach(({ resolve }) => resolve(versionstamp));
    // A check of some member does not hold.
    for (const one of group) await this.#write([one]);
  }

  async #apply(writes: readonly Write[]): Promise<string | null> {
    const events = writes.flatMap(({ event }) => event ?? []);
    const texts = eventTexts(events.map(({ text }) => text));
    const atomic = this.#kv.atomic();
    for (const { checks = [], sets = [], deletes = [] } of writes) {
      atomic.check(...checks);
      for (const { key, value, expireIn } of sets) atomic.set(key, value, { expireIn });
      for (const key of deletes) atomic.delete(key);
    }
    texts.forEach((text, index) => {
      atomic.set(eventKey(this.#writer, this.#eventNumber + index + 1), text, { expireIn: EVENT_TTL_MS });
    });
    const result = await untilUnlocked(() => atomic.commit());
    this.#checkFile();
    if (!result.ok) return null;
    this.#eventNumber += texts.length;
    if (events.length > 0) this.#tell(events.map(({ task }) => task));
    return result.versionstamp;
  }

  /** What is on disk is done, whoever fails to hear of it: such an error is reported as that of an event listener is. */
  #tell(tasks: readonly TaskInfo[]): void {
    try {
      this.#onCommitted(tasks);
    } catch (error) {
      reportError(error);
    }
  }
}

/** Whether KV has said that a write is beyond its limits, so that no later try can succeed. It has no codes, only texts. */
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
 * How many of the first writes fit into one commit; at least one. All checks of a commit are made before its first
 * write, and all that it writes gets one version. So what checks or writes a key that is written already has to wait
 * for the next commit: else its check would hold though the key has changed, or two would hold the same version.
 */
function groupLength(queue: readonly Pending[]): number {
  const written = new Set<string>();
  let [checks, mutations, bytes] = [0, 0, 0];
  for (const [index, { write }] of queue.entries()) {
    checks += write.checks?.length ?? 0;
    mutations += (write.sets?.length ?? 0) + (write.deletes?.length ?? 0);
    bytes += write.bytes;
    const writes = [...(write.sets ?? []).map(({ key }) => nameOf(key)), ...(write.deletes ?? []).map(nameOf)];
    const touched = [...(write.checks ?? []).map(({ key }) => nameOf(key)), ...writes];
    const clash = touched.some((name) => written.has(name));
    const full = checks > MAX_CHECKS || mutations > MAX_MUTATIONS || bytes > MAX_BYTES;
    if (index > 0 && (clash || full)) return index;
    for (const name of writes) written.add(name);
  }
  return queue.length;
}

/** A key as text, to look it up in a set. */
function nameOf(key: Deno.KvKey): string {
  return key.join("\0");
}

/** The events of one commit, in as few values as their size allows. */
function eventTexts(events: readonly string[]): string[] {
  const texts: string[] = [];
  let current = "";
  for (const text of events) {
    if (current !== "" && current.length + text.length > MAX_EVENT_TEXT) {
      texts.push(`[${current}]`);
      current = "";
    }
    current += current === "" ? text : `,${text}`;
  }
  if (current !== "") texts.push(`[${current}]`);
  return texts;
}

/** Reads, once other processes let it. Rejects with `BackendError` where the file fails. */
export async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await untilUnlocked(read);
  } catch (cause) {
    throw cause instanceof JobsError ? cause : new BackendError(`Cannot read the KV file: ${cause}`, { cause });
  }
}

/** Several writing processes can lock each other, and readers, out for a moment; nothing was written then. */
export async function untilUnlocked<T>(operation: () => Promise<T>): Promise<T> {
  const start = performance.now();
  let pause = FIRST_PAUSE_MS;
  while (true) {
    try {
      return await operation();
    } catch (error) {
      // A TypeError of a commit or a read, a plain Error of the opening.
      const locked = error instanceof Error && error.message.includes("database is locked");
      if (!locked || performance.now() - start > LOCKED_FOR_MS) throw error;
      await new Promise((resolve) => setTimeout(resolve, Math.random() * pause));
      pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
    }
  }
}
