/**
 * The audit log on stderr: one line of JSON for each event, and one for repeated refusals of a kind.
 *
 * @module
 */
import type { Audit, AuditEvent } from "../tasks/audit.ts";
import type { GuardOptions } from "../tasks/guard.ts";
import { guarded, reporterOf } from "../log/on_error.ts";
import type { ServerOptions } from "./options.ts";
import { RepeatedRefusals } from "./repeated_refusals.ts";
import { StderrLines } from "../log/stderr_lines.ts";
import { escaped } from "../text.ts";

/** How often repeated refusals are written, in ms. */
const REPEATED_MS = 10_000;

export interface Lines extends AsyncDisposable {
  write(line: string): void;
}

/** Where the events of a server go, and whether anything receives them now. */
export type Audited = Required<Pick<GuardOptions, "audit" | "isAudited">>;

/**
 * Where the events of a server go: to the user's function, or else to the log on stderr once there is one. No request fails
 * because the function does: its error goes to `onError`.
 */
export function auditOf({ audit, onError }: ServerOptions, log: () => AuditLog | undefined): Audited {
  if (typeof audit !== "function") {
    return { audit: (event) => log()?.write(event), isAudited: () => log() !== undefined };
  }
  const report = reporterOf(onError);
  const failed = (error: unknown, { task, job }: AuditEvent) =>
    report(error, { where: "write the audit log", task, job });
  return { audit: guarded(audit, failed), isAudited: () => true };
}

/** Writes events as lines. Disposing of it writes what was held back, as far as stderr has a reader. */
export class AuditLog implements AsyncDisposable {
  readonly #lines: Lines;
  readonly #repeated = new RepeatedRefusals();
  #timer: ReturnType<typeof setInterval> | undefined;
  #ended = false;

  constructor(lines: Lines = new StderrLines(leftOut)) {
    this.#lines = lines;
  }

  /** Writes an event, without waiting. Events after disposal are dropped. */
  readonly write: Audit = (event) => {
    if (this.#ended) return;
    for (const entry of this.#repeated.add(event)) this.#lines.write(lineOf(entry));
    if (this.#timer !== undefined || this.#repeated.size === 0) return;
    this.#timer = setInterval(() => this.writeRepeated(), REPEATED_MS);
    Deno.unrefTimer(this.#timer);
  };

  /** Writes which refusals have repeated since the last time, and how often. */
  writeRepeated(): void {
    for (const event of this.#repeated.take()) this.#lines.write(lineOf(event));
    if (this.#repeated.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Writes what was held back. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true;
    this.writeRepeated();
    clearInterval(this.#timer);
    await this.#lines[Symbol.asyncDispose]();
  }
}

function leftOut(count: number): string {
  return JSON.stringify({ at: new Date().toISOString(), event: "left_out", count });
}

function lineOf(event: AuditEvent): string {
  return escaped(JSON.stringify(event));
}
