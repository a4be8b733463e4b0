/**
 * Lines on stderr that hold nobody up. A write to a pipe that nobody reads never ends: made in the usual way it would stop
 * the process.
 *
 * @module
 */

/** So much is written at once, in bytes: it is there even when the process ends, and a pipe that nobody reads holds it. */
const AT_ONCE_BYTES = 16_384;

/** How many lines wait for whoever reads; more are left out. */
const MOST_WAITING = 1_000;

/** Where the lines go. */
export type Sink = Pick<typeof Deno.stderr, "write" | "writeSync">;

/** Writes lines in their order. */
export class LineWriter {
  readonly #sink: Sink;
  #room = AT_ONCE_BYTES;
  #waiting: string[] = [];
  #writing = false;
  #leftOut = 0;

  /** Writes nothing yet. */
  constructor(sink: Sink) {
    this.#sink = sink;
  }

  /** Writes a line, without its end, now or once there is room for it. Never fails. */
  write(line: string): void {
    const bytes = new TextEncoder().encode(`${line}\n`);
    if (!this.#writing && bytes.length <= this.#room) return this.#writeNow(bytes);
    this.#room = 0; // In order from now on.
    if (this.#waiting.length < MOST_WAITING) this.#waiting.push(...this.#takeNote(), line);
    else this.#leftOut++;
    if (!this.#writing) void this.#writeWaiting();
  }

  #writeNow(bytes: Uint8Array): void {
    this.#room -= bytes.length;
    try {
      for (let at = 0; at < bytes.length;) at += this.#sink.writeSync(bytes.subarray(at));
    } catch {
      // stderr is closed, or its disk is full: there is nobody else to tell.
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

  /** What is said in the place of lines that were left out. */
  #takeNote(): readonly string[] {
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    return leftOut === 0 ? [] : [`mcp-jobs: ${leftOut} lines were left out here, as nobody read stderr`];
  }

  async #writeAll(line: string): Promise<void> {
    const bytes = new TextEncoder().encode(`${line}\n`);
    try {
      for (let at = 0; at < bytes.length;) at += await this.#sink.write(bytes.subarray(at));
    } catch {
      // As above.
    }
  }
}

const stderr = new LineWriter(Deno.stderr);
let through: Pick<LineWriter, "write"> = stderr;

/** Writes one line to stderr, without waiting for whoever reads it. */
export function writeLine(line: string): void {
  through.write(line);
}

/**
 * Has every line go through a writer that is open, until it is closed: it may be waiting for whoever reads stderr, and a
 * line that is written beside it would have to wait, too. Returns the way to end that.
 */
export function writeThrough(writer: Pick<LineWriter, "write">): () => void {
  through = writer;
  return () => {
    if (through === writer) through = stderr;
  };
}
