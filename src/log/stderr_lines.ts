/**
 * Many lines for stderr, such as those of an audit trail, which a thread of its own writes: they neither block the process,
 * as a pipe does that nobody reads, nor keep it from ending.
 *
 * @module
 */
import { doneWithin } from "../waiting.ts";
import { writeThrough } from "./stderr.ts";

/** How many lines may wait; further lines are left out, and counted. */
const MAX_LINES = 1_000;

/** How long disposing waits for lines to be written, in ms. */
const END_MS = 1_000;

/**
 * Runs in a thread of its own. Deno cannot cancel a write that has begun, and waits for it before the process exits, but
 * not for a write of a terminated thread. If stderr is closed, the lines are lost.
 */
const WRITER = `
  onmessage = async ({ data }) => {
    const bytes = new TextEncoder().encode(data);
    try {
      for (let at = 0; at < bytes.length;) at += await Deno.stderr.write(bytes.subarray(at));
    } catch {
      // The reader is gone, or the disk is full.
    }
    postMessage(undefined);
  };
`;

/** Writes lines as fast as stderr takes them. */
export class StderrLines implements AsyncDisposable {
  readonly #leftOut: (count: number) => string;
  #waiting: string[] = [];
  #left = 0;
  /** Begins at once: Deno needs file descriptors for a thread, and ends the process if there are none. */
  readonly #writer: Worker = this.#begin();
  #written: PromiseWithResolvers<void> | undefined;
  readonly #end: () => void;

  /** `leftOut` returns the line that says how many lines were left out. */
  constructor(leftOut: (count: number) => string) {
    this.#leftOut = leftOut;
    this.#end = writeThrough(this);
  }

  /** Queues a line to be written soon. */
  write(line: string): void {
    if (this.#waiting.length >= MAX_LINES) this.#left++;
    else this.#waiting.push(line);
    if (this.#written === undefined) this.#writeWaiting();
  }

  /** Resolves once all lines are written. Lines that cannot be written within a second are lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    if (this.#written) await doneWithin(this.#written.promise, END_MS);
    this.#writer.terminate();
  }

  #writeWaiting(): void {
    const lines = this.#waiting.splice(0);
    if (this.#left > 0) lines.push(this.#leftOut(this.#left));
    this.#left = 0;
    this.#written ??= Promise.withResolvers();
    this.#writer.postMessage(lines.map((line) => `${line}\n`).join(""));
  }

  #begin(): Worker {
    const writer = new Worker(`data:text/javascript,${encodeURIComponent(WRITER)}`, { type: "module", name: "stderr" });
    writer.onmessage = () => {
      if (this.#waiting.length > 0) return this.#writeWaiting();
      this.#written?.resolve();
      this.#written = undefined;
    };
    return writer;
  }
}
