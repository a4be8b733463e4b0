/**
 * Scans the bytes of a JSON text as they arrive, without parsing it: how deeply it is nested, how many items it has, and the
 * id of its outermost object. So a text that would be costly to parse can be refused before that.
 *
 * @module
 */

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c];
const [OPEN_ARRAY, CLOSE_ARRAY, OPEN_OBJECT, CLOSE_OBJECT] = [0x5b, 0x5d, 0x7b, 0x7d];

/** The most bytes of the outermost object that are kept. */
const MAX_TOP_BYTES = 4_096;

/** The scan of one JSON text. A text that is not JSON is counted as if it were. */
export class JsonScan {
  deepest = 0;
  /** At least the number of values minus one. */
  items = 0;
  #depth = 0;
  #inString = false;
  /** Whether the next byte of a string is escaped. */
  #escaped = false;
  /** The bytes of the outermost object, with `null` for each array and object in it. */
  readonly #top: Uint8Array[] = [];
  #topSize = 0;
  #topEnded = false;

  push(chunk: Uint8Array): void {
    /** Where the next bytes of the outermost object begin. */
    let from = 0;
    for (let at = 0; at < chunk.length;) {
      if (this.#inString) {
        at = this.#endOfString(chunk, at);
        continue;
      }
      const byte = chunk[at++];
      if (byte === QUOTE) this.#inString = true;
      else if (byte === COMMA) this.items++;
      else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) {
        if (this.#atTop) this.#keep(chunk.subarray(from, at - 1), NULL);
        this.items++;
        if (++this.#depth > this.deepest) this.deepest = this.#depth;
        from = at;
      } else if (byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) {
        if (this.#atTop) {
          this.#keep(chunk.subarray(from, at - 1));
          this.#topEnded = true;
        }
        this.#depth--;
        from = at;
      }
    }
    if (this.#atTop) this.#keep(chunk.subarray(from));
  }

  /** The `id` of the outermost object, if a request can have it. */
  get id(): string | number | null {
    if (this.#topSize > MAX_TOP_BYTES) return null; // Some of it was not kept.
    const bytes = new Uint8Array(this.#topSize);
    let at = 0;
    for (const part of this.#top) {
      bytes.set(part, at);
      at += part.length;
    }
    try {
      const { id } = JSON.parse(`{${new TextDecoder().decode(bytes)}}`);
      return typeof id === "string" || typeof id === "number" ? id : null;
    } catch {
      return null; // It is not an object, or is incomplete.
    }
  }

  /** Whether the next bytes belong to the outermost object, and are still kept. */
  get #atTop(): boolean {
    return this.#depth === 1 && !this.#topEnded && this.#topSize <= MAX_TOP_BYTES;
  }

  #keep(...parts: readonly Uint8Array[]): void {
    for (const part of parts) {
      this.#topSize += part.length;
      if (this.#topSize <= MAX_TOP_BYTES) this.#top.push(part.slice()); // A copy: the chunk may be large.
    }
  }

  /** Where the string around `at` ends, or the chunk does. */
  #endOfString(chunk: Uint8Array, at: number): number {
    let from = at;
    if (this.#escaped) from++;
    this.#escaped = false;
    while (from < chunk.length) {
      const quote = chunk.indexOf(QUOTE, from);
      const end = quote < 0 ? chunk.length : quote;
      let backslashes = 0;
      while (end - backslashes > from && chunk[end - backslashes - 1] === BACKSLASH) backslashes++;
      const escapes = backslashes % 2 === 1;
      if (quote < 0) this.#escaped = escapes;
      else if (!escapes) {
        this.#inString = false;
        return quote + 1;
      }
      from = end + 1;
    }
    return chunk.length;
  }
}

const NULL = new TextEncoder().encode("null");
