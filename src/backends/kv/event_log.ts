/**
 * Events across processes. Each process writes its changes into a stream of its own and touches a wake file; the others
 * watch the folder of wake files and read on in that stream. The cost grows with events, not with tasks or watchers.
 *
 * @module
 */
import type { TaskEvent } from "../../backend.ts";
import { eventKey } from "./keys.ts";

/** Where the file system tells of no change, streams are looked at this often, in ms. */
const FALLBACK_POLL_MS = 250;

/** A wake file that nobody has touched for this long belongs to a process that died, in ms. */
const STALE_WAKE_FILE_MS = 24 * 3_600_000;

/** Reads the streams of all other processes. */
export class EventLog implements AsyncDisposable {
  readonly #kv: Deno.Kv;
  readonly #writer: string;
  readonly #folder: string;
  readonly #wakeFile: Deno.FsFile;
  readonly #watcher: Deno.FsWatcher;
  readonly #poll: ReturnType<typeof setInterval>;
  readonly #listener: (event: TaskEvent) => void;
  /** The number of the last event read, by writer. */
  readonly #positions = new Map<string, number>();
  readonly #woken = new Set<string>();
  readonly #watching: Promise<void>;
  #reading: Promise<void> | undefined;
  #closed = false;

  private constructor(kv: Deno.Kv, writer: string, folder: string, listener: (event: TaskEvent) => void) {
    this.#kv = kv;
    this.#writer = writer;
    this.#folder = folder;
    this.#listener = listener;
    this.#wakeFile = Deno.openSync(`${folder}/${writer}`, { create: true, write: true });
    this.#watcher = Deno.watchFs(folder, { recursive: false });
    this.#watching = this.#watch();
    this.#poll = setInterval(() => this.#read(true), FALLBACK_POLL_MS);
  }

  /** Opens the log beside the KV file. `listener` hears of every change from now on. */
  static async open(
    kv: Deno.Kv,
    writer: string,
    path: string,
    listener: (event: TaskEvent) => void,
  ): Promise<EventLog> {
    const folder = `${path}.wake`;
    await Deno.mkdir(folder, { recursive: true });
    await removeStale(folder);
    const log = new EventLog(kv, writer, folder, listener);
    for (const other of await log.#writers()) log.#positions.set(other, await log.#lastNumber(other));
    return log;
  }

  /** Tells the other processes that there is something to read. */
  wake(): void {
    if (this.#closed) return;
    this.#wakeFile.seekSync(0, Deno.SeekMode.Start);
    this.#wakeFile.writeSync(new Uint8Array(1));
  }

  /** Stops reading. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearInterval(this.#poll);
    this.#watcher.close();
    await this.#watching;
    await this.#reading;
    this.#wakeFile.close();
    await Deno.remove(`${this.#folder}/${this.#writer}`).catch(() => {});
  }

  async #watch(): Promise<void> {
    for await (const { kind, paths } of this.#watcher) {
      if (kind === "access" || kind === "remove") continue;
      for (const path of paths) {
        const writer = path.slice(path.lastIndexOf("/") + 1);
        if (writer !== this.#writer) this.#woken.add(writer);
      }
      if (this.#woken.size > 0) this.#read(false);
    }
  }

  /** Reads the streams of the woken writers, or of all. One read at a time. */
  #read(all: boolean): void {
    if (this.#closed || (this.#reading && all)) return;
    this.#reading ??= this.#readOn(all).catch(() => {
      // The KV file cannot be read now. The next poll tries again from the same place.
    }).finally(() => {
      this.#reading = undefined;
      if (this.#woken.size > 0) this.#read(false);
    });
  }

  async #readOn(all: boolean): Promise<void> {
    const writers = all ? await this.#writers() : [...this.#woken];
    this.#woken.clear();
    for (const writer of writers) await this.#readStream(writer);
    if (!all) return;
    for (const known of this.#positions.keys()) if (!writers.includes(known)) this.#positions.delete(known);
  }

  async #readStream(writer: string): Promise<void> {
    const position = this.#positions.get(writer) ?? 0;
    let expected = position + 1;
    const start = eventKey(writer, expected);
    const end = eventKey(writer, Infinity);
    for await (const { key, value } of this.#kv.list<string>({ start, end }, { batchSize: 100 })) {
      if (this.#closed) return;
      const number = Number(key.at(-1));
      this.#positions.set(writer, number);
      if (number !== expected) this.#listener({ kind: "gap" });
      expected = number + 1;
      for (const task of JSON.parse(value)) this.#listener({ kind: "change", task });
    }
  }

  /** All other processes that have written lately: skips from stream to stream. */
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

  async #lastNumber(writer: string): Promise<number> {
    const last = await this.#kv.list({ prefix: eventKey(writer) }, { limit: 1, reverse: true }).next();
    return last.done ? 0 : Number(last.value.key.at(-1));
  }
}

async function removeStale(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const path = `${folder}/${name}`;
    const { mtime } = await Deno.stat(path).catch(() => ({ mtime: null }));
    if (mtime && mtime.getTime() + STALE_WAKE_FILE_MS < Date.now()) await Deno.remove(path).catch(() => {});
  }
}
