/**
 * Lines for stderr that never make the process wait: a pipe that nobody reads takes 64 KiB, and whoever writes more to it
 * stands still.
 *
 * @module
 */
import { doneWithin } from "../waiting.ts";
import { writeThrough } from "./stderr.ts";

/** How many lines may wait; what comes then is left out, and counted. */
const MAX_LINES = 1_000;

/** How long the end waits for lines to be written, in ms. */
const END_MS = 1_000;

/**
 * Runs in a thread of its own. Deno cannot take back a write that has begun, and waits for it before the process ends; but
 * not for that of a thread which was ended. Where stderr is closed the lines are lost.
 */
const WRITER = `
  onmessage = async ({ data }) => {
    const bytes = new TextEncoder().encode(data);
    try {
      for (let at = 0; at < bytes.length;) at += await Deno.stderr.write(bytes.subarray(at));
    } catch {
      // Nobody reads it any more, or the disk is full.
    }
    postMessage(undefined);
  };
`;

/** Takes lines, and writes them when stderr can. */
export class StderrLines implements AsyncDisposable {
  readonly #leftOut: (count: number) => string;
  #waiting: string[] = [];
  #left = 0;
  #writer: Worker | undefined;
  #written: PromiseWithResolvers<void> | undefined;
  readonly #end: () => void;

  /** `leftOut` makes the line that says how many were left out. */
  constructor(leftOut: (count: number) => string) {
    this.#leftOut = leftOut;
    this.#end = writeThrough(this);
  }

  /** Writes a line, soon. */
  write(line: string): void {
    if (this.#waiting.length >= MAX_LINES) this.#left++;
    else this.#waiting.push(line);
    if (this.#written === undefined) this.#writeWaiting();
  }

  /** Ends when all is written; what cannot be written soon is lost. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    if (this.#written) await doneWithin(this.#written.promise, END_MS);
    this.#writer?.terminate();
  }

  #writeWaiting(): void {
    const lines = this.#waiting.splice(0);
    if (this.#left > 0) lines.push(this.#leftOut(this.#left));
    this.#left = 0;
    this.#written ??= Promise.withResolvers();
    this.#writer ??= this.#begin();
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
