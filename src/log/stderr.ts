/**
 * Lines on stderr that never block the process. A write to a pipe that nobody reads never ends, so an ordinary write would
 * stop the process.
 *
 * @module
 */

/** How many bytes are written synchronously, so that they survive the end of the process. Any pipe holds them unread. */
const AT_ONCE_BYTES = Deno.build.os === "windows" ? 4_096 : 16_384;

/** How many lines may wait for a reader; further lines are left out. */
const MAX_WAITING = 1_000;

/** The destination of the lines. */
export type Sink = Pick<typeof Deno.stderr, "write" | "writeSync">;

/** Writes lines in order. */
export class LineWriter {
  readonly #sink: Sink;
  #room = AT_ONCE_BYTES;
  #waiting: string[] = [];
  #writing = false;
  #leftOut = 0;

  /** Does not write yet. */
  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Writes a line, given without its line break, now or once there is room for it. Never fails. */
  write(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (bytes.length <= this.#room) return this.#writeNow(bytes);
    this.#room = 0; // From now on all lines wait, so that they stay in order.
    if (this.#waiting.length < MAX_WAITING) this.#waiting.push(...this.#takeNote(), line);
    else this.#leftOut++;
    if (!this.#writing) void this.#writeWaiting();
  }

  #writeNow(bytes: Uint8Array): void {
    this.#room -= bytes.length;
    try {
      for (let at = 0; at < bytes.length;) at += this.#sink.writeSync(bytes.subarray(at));
    } catch {
      // stderr is closed, or its disk is full: there is no other place to report it.
    }
  }

  async #writeWaiting(): Promise<void> {
    this.#writing = true;
    while (this.#waiting.length > 0 || this.#leftOut > 0) {
      const line = this.#waiting.shift();
      for (const next of line === undefined ? this.#takeNote() : [line]) await this.#writeAll(next);
    }
    this.#writing = false;
  }

  /** The line that stands in place of those that were left out, if there are any. */
  #takeNote(): readonly string[] {
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut === 0 ? [] : [`mcp-jobs: ${leftOut} lines were left out here, because nobody read stderr`];
  }

  async #writeAll(line: string): Promise<void> {
    const bytes = new TextEncoder().encode(`${line}\n`);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#sink.write(bytes.subarray(at));
    } catch {
      // As in #writeNow.
    }
  }
}

const stderr = new LineWriter(Deno.stderr);
let through: Pick<LineWriter, "write"> = stderr;

/** Writes one line to stderr, without waiting for its reader. */
export function writeLine(line: string): void {
  through.write(line);
}

/**
 * Sends every line through another writer while that one is open: it may be waiting for the reader of stderr, and a line
 * written beside it would block. Returns a function that ends this.
 */
export function writeThrough(writer: Pick<LineWriter, "write">): () => void {
  through = writer;
  return () => {
    if (through === writer) through = stderr;
  };
}
