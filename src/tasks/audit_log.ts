/**
 * The audit log on stderr: one line of JSON for each event, and one for many refusals of a kind.
 *
 * @module
 */
import type { Audit, AuditEvent } from "./audit.ts";
import { RepeatedRefusals } from "./repeated_refusals.ts";
import { StderrLines } from "../log/stderr_lines.ts";

/** After which time refusals that have repeated are told, in ms. */
const REPEATED_MS = 10_000;

/** What takes the lines. */
export interface Lines extends AsyncDisposable {
  write(line: string): void;
}

/** Writes events as lines. Close it: what is held back is written then, as far as somebody reads it. */
export class AuditLog implements AsyncDisposable {
  readonly #lines: Lines;
  readonly #repeated = new RepeatedRefusals();
  #timer: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  constructor(lines: Lines = new StderrLines(leftOut)) {
    this.#lines = lines;
  }

  /** Takes an event, and never waits. One that comes after the end is lost. */
  readonly write: Audit = (event) => {
    if (this.#ended) return;
    for (const told of this.#repeated.add(event)) this.#lines.write(lineOf(told));
    if (this.#timer !== undefined || this.#repeated.size === 0) return;
    this.#timer = setInterval(() => this.tellRepeated(), REPEATED_MS);
    Deno.unrefTimer(this.#timer);
  };

  /** Tells which refusals have repeated since the last time, and how often. */
  tellRepeated(): void {
    for (const event of this.#repeated.take()) this.#lines.write(lineOf(event));
    if (this.#repeated.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Tells what is left to tell. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.tellRepeated();
    clearInterval(this.#timer);
    await this.#lines[Symbol.asyncDispose]();
  }
}

function leftOut(count: number): string {
  return JSON.stringify({ at: new Date().toISOString(), event: "left_out", count });
}

/** JSON leaves signs as they are that a terminal obeys, or that let a text look like another one. */
function lineOf(event: AuditEvent): string {
  const hex = (unit: string) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(event).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => sign.split("").map(hex).join(""));
}
