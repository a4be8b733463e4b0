/**
 * The output of a command: its last line for the status message, its end for the result.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

/** The longest last line that is reported, in characters. */
const LINE_LIMIT = 200;

/** Keeps the end of what a command writes. */
export class Output {
  readonly #limit: number;
  #text = "";
  #truncated = false;

  /** `limit` is how many characters are kept. */
  constructor(limit = 65_536) {
    this.#limit = limit;
  }

  /** Adds a piece of output. */
  readonly add = (text: string): void => {
    this.#text += text;
    // Cut in large steps, not with every write.
    if (this.#text.length > 2 * this.#limit) this.#cut();
  };

  /** The end of the output, as plain text. */
  get tail(): { readonly output: string; readonly truncated: boolean } {
    this.#cut();
    return { output: stripVTControlCharacters(this.#text).toWellFormed(), truncated: this.#truncated };
  }

  /** The last line that is not empty. A progress display ends its lines with a carriage return. */
  get lastLine(): string {
    const end = stripVTControlCharacters(this.#text.slice(-4 * LINE_LIMIT));
    const line = end.split(/[\r\n]+/).findLast((line) => line.trim() !== "") ?? "";
    return line.trim().slice(0, LINE_LIMIT).toWellFormed();
  }

  #cut(): void {
    if (this.#text.length <= this.#limit) return;
    this.#text = this.#text.slice(-this.#limit);
    this.#truncated = true;
  }
}
