/**
 * Events across processes. Each process writes its changes into a stream of its own and touches a wake file; the others
 * watch the folder of wake files and read the new entries of that stream. The cost grows with events, not with tasks or
 * watchers.
 *
 * @module
 */
import type { OnError } from "../../log/on_error.ts";
import type { TaskInfo } from "../../task.ts";
import type { HubListener } from "../shared/store/hub.ts";
import { makeFolder, openOwn } from "./file.ts";
import { eventKey } from "./keys.ts";
import { untilUnlocked } from "./reading.ts";

/** How often all streams are read without a wake-up, in ms: not every file system reports changes. */
const FALLBACK_POLL_MS = 250;

/** A wake file that was not touched for this long belongs to a dead process, in ms. */
const STALE_WAKE_FILE_MS = 24 * 3_600_000;

/** How often a process touches its own wake file even without events, in ms. */
const TOUCH_MS = 3_600_000;

/** Ends the name of the wake file for changes that make a task ready: workers need not read the stream first. */
const READY = ".ready";

export interface EventLogOptions {
  /** The name under which this process writes events. */
  readonly writer: string;
  readonly listener: HubListener;
  /** Called with each poll: checks that the KV file is still there, and throws if it is not. */
  readonly check: () => void;
  readonly onError: OnError;
}

/** Reads the streams of all other processes. */
export class EventLog implements AsyncDisposable {
  readonly #kv: Deno.Kv;
  readonly #writer: string;
  readonly #folder: string;
  readonly #wakeFile: Deno.FsFile;
  readonly #readyFile: Deno.FsFile;
  readonly #watcher: Deno.FsWatcher | undefined;
  readonly #listener: HubListener;
  readonly #check: () => void;
  readonly #onError: OnError;
  /** The processes beside this one, by their wake files; not known without a watcher. */
  #others: Set<string> | undefined;
  /** The number of the last event read, by writer. */
  readonly #positions = new Map<string, number>();
  /** Writers whose process has closed. Their positions are kept while their streams have entries. */
  readonly #removed = new Set<string>();
  readonly #woken = new Set<string>();
  #watching: Promise<void> | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #reading: Promise<void> | undefined;
  #touchAt = Date.now() + TOUCH_MS;
  #closed = false;

  private constructor(kv: Deno.Kv, folder: string, { writer, listener, check, onError }: EventLogOptions) {
    this.#kv = kv;
    this.#writer = writer;
    this.#folder = folder;
    this.#listener = listener;
    this.#check = check;
    this.#onError = onError;
    this.#wakeFile = openOwn(`${folder}/${writer}`);
    this.#readyFile = openOwn(`${folder}/${writer}${READY}`);
    this.#watcher = this.#openWatcher();
  }

  /** Opens the log beside the KV file. Every later change is reported. */
  static async open(kv: Deno.Kv, path: string, options: EventLogOptions): Promise<EventLog> {
    const folder = `${path}.wake`;
    await makeFolder(folder);
    await removeStale(folder);
    const log = new EventLog(kv, folder, options);
    try {
      await untilUnlocked(async () => {
        for (const other of await log.#writers()) log.#positions.set(other, await log.#lastNumber(other));
      });
      await log.#begin();
      return log;
    } catch (error) {
      await log[Symbol.asyncDispose]();
      throw error;
    }
  }

  /**
   * Tells the other processes that there is something to read, and whether a task may be ready to run. A process that is alone
   * touches no file: its own watcher would report that to it, at a cost that each commit would pay.
   */
  wake(ready: boolean): void {
    if (this.#closed || this.#others?.size === 0) return;
    this.#touch(ready ? this.#readyFile : this.#wakeFile);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#timer);
    this.#watcher?.close();
    await this.#watching;
    await this.#reading;
    this.#wakeFile.close();
    this.#readyFile.close();
    const own = `${this.#folder}/${this.#writer}`;
    // Other processes remove what is left after a day.
    await Promise.allSettled([Deno.remove(own), Deno.remove(`${own}${READY}`)]);
  }

  /** Starts to read, once it is known from where. What the watcher has reported meanwhile is not lost. */
  async #begin(): Promise<void> {
    if (this.#watcher) this.#others = await this.#listOthers();
    this.#watching = this.#watch().catch((error) => {
      this.#others = undefined; // From now on the poll finds the events, and newcomers are not noticed.
      this.#failed(error, "watch the wake files of other processes");
    });
    this.#timer = setInterval(() => this.#poll(), FALLBACK_POLL_MS);
  }

  async #listOthers(): Promise<Set<string>> {
    const files = await Array.fromAsync(Deno.readDir(this.#folder));
    const others = new Set(files.map(({ name }) => writerOf(name)));
    others.delete(this.#writer);
    return others;
  }

  /** A system has a limited number of watchers. Without one, the poll finds the events. */
  #openWatcher(): Deno.FsWatcher | undefined {
    try {
      return Deno.watchFs(this.#folder, { recursive: false });
    } catch (error) {
      this.#failed(error, "watch the wake files of other processes");
    }
  }

  async #watch(): Promise<void> {
    for await (const { kind, paths } of this.#watcher ?? []) {
      if (kind === "access") continue;
      for (const path of paths) this.#touched(path.split(/[\\/]/).at(-1) ?? "", kind === "remove");
      if (this.#woken.size > 0) this.#read(false);
    }
  }

  #touched(file: string, removed: boolean): void {
    const writer = writerOf(file);
    if (writer === this.#writer) return;
    if (removed) {
      this.#others?.delete(writer);
      this.#removed.add(writer);
      return;
    }
    if (this.#others?.has(writer) === false) {
      this.#others.add(writer);
      this.wake(true); // What was written since it has opened the log, while nobody knew of it.
    }
    this.#woken.add(writer);
    if (file !== writer) this.#listener.ready();
  }

  #poll(): void {
    this.#read(true);
    if (Date.now() < this.#touchAt) return;
    this.#touchAt = Date.now() + TOUCH_MS;
    // The others read once, and find nothing.
    this.#touch(this.#wakeFile);
    this.#touch(this.#readyFile);
  }

  /** A write would not do: macOS reports it only when the file is closed. */
  #touch(file: Deno.FsFile): void {
    try {
      const now = new Date();
      file.utimeSync(now, now);
    } catch (error) {
      // The others find the events with their next poll.
      this.#failed(error, "touch the wake file");
    }
  }

  /** Reads the streams of the writers whose wake files were touched, or all streams. One read at a time. */
  #read(all: boolean): void {
    if (this.#closed || (this.#reading && all)) return;
    // After an error the next poll starts at the same position.
    const failed = (error: unknown) => this.#failed(error, "read the events of other processes");
    this.#reading ??= this.#readOn(all).catch(failed).finally(() => {
      this.#reading = undefined;
      if (this.#woken.size > 0) this.#read(false);
    });
  }

  async #readOn(all: boolean): Promise<void> {
    if (all) this.#check();
    const gone = new Set(this.#removed); // Copied before the streams are listed: a closed writer adds no more entries.
    const writers = all ? await this.#writers() : [...this.#woken];
    this.#woken.clear();
    let found = false;
    for (const writer of writers) found = await this.#readStream(writer) || found;
    if (!all) return;
    for (const writer of gone.difference(new Set(writers))) {
      this.#positions.delete(writer);
      this.#removed.delete(writer);
    }
    // No wake file has announced what the poll found.
    if (found) this.#listener.ready();
  }

  /** Reads the new entries of a stream. Resolves with whether there were any. */
  async #readStream(writer: string): Promise<boolean> {
    const position = this.#positions.get(writer) ?? 0;
    let expected = position + 1;
    const start = eventKey(writer, expected);
    const end = eventKey(writer, Infinity);
    for await (const { key, value } of this.#kv.list<string>({ start, end }, { batchSize: 100 })) {
      if (this.#closed) return false;
      const number = Number(key.at(-1));
      this.#positions.set(writer, number);
      if (number !== expected) this.#listener.event({ kind: "gap" });
      expected = number + 1;
      for (const changed of JSON.parse(value) as (TaskInfo | { readonly document: string })[]) {
        if ("document" in changed) this.#listener.document?.(changed.document);
        else this.#listener.event({ kind: "change", task: changed });
      }
    }
    return expected > position + 1;
  }

  /** All other writers that have events, found by skipping from stream to stream. */
  async #writers(): Promise<string[]> {
    const writers: string[] = [];
    let start = eventKey("");
    while (true) {
      const first = await this.#kv.list({ prefix: eventKey(), start }, { limit: 1 }).next();
      if (first.done) return writers;
      const writer = String(first.value.key[2]);
      if (writer !== this.#writer) writers.push(writer);
      start = eventKey(writer, Infinity);
    }
  }

  #failed(error: unknown, where: string): void {
    this.#onError(error, { where });
  }

  async #lastNumber(writer: string): Promise<number> {
    const last = await this.#kv.list({ prefix: eventKey(writer) }, { limit: 1, reverse: true }).next();
    return last.done ? 0 : Number(last.value.key.at(-1));
  }
}

/** The process to which a wake file belongs. */
function writerOf(file: string): string {
  return file.endsWith(READY) ? file.slice(0, -READY.length) : file;
}

async function removeStale(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    // Another process may have removed it already.
    const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
    if (mtime && mtime.getTime() + STALE_WAKE_FILE_MS < Date.now()) await Deno.remove(path).catch(() => {}); // Likewise.
  }
}
