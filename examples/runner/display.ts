/**
 * Shows what a client sees: one live bar on a terminal, plain lines elsewhere.
 *
 * @module
 */
import type { Answer, Call, Update } from "../shared/update.ts";

const WIDTH = 30;

/** Shows the updates of one task, or what the calls of several clients return. */
export class Display {
  readonly #live = Deno.stdout.isTerminal();
  #state: Update = {};
  #shown = "";

  /** Shows an update, unless nothing changed. */
  show(update: Update): void {
    if (update.call === undefined) this.#showTask(update);
    else if (update.answer !== undefined) this.#replace(answerLine(update, update.answer, update.call));
    // The calls of a job report much the same, so on a terminal one bar is enough.
    else if (this.#live) this.#showTask({ ...update, call: undefined, status: update.call.job });
  }

  #showTask({ result, resource, asked, killed, ...state }: Update): void {
    if (asked !== undefined) return this.#line(`asked     ${asked}`);
    if (result !== undefined) return this.#line(`result    ${JSON.stringify(result)}`);
    if (resource !== undefined) return this.#line(`resource  ${resource.uri}`);
    const known = Object.entries(state).filter(([, value]) => value !== undefined);
    this.#state = { ...this.#state, ...Object.fromEntries(known) };
    const text = this.#live ? bar(this.#state) : line(this.#state);
    if (text !== this.#shown) {
      this.#shown = text;
      if (this.#live) write(`\r\x1b[K${text}`);
      else write(`${text}\n`);
    }
    if (killed) this.#line(`killed    ${killed.join(" and ")}; both start again`);
  }

  /** Moves the terminal to a new line. */
  end(): void {
    if (this.#live && this.#shown !== "") write("\n");
    this.#shown = "";
  }

  /** Puts a line where the bar is, if there is one. */
  #replace(text: string): void {
    if (this.#live && this.#shown !== "") write("\r\x1b[K");
    this.#shown = "";
    write(`${text}\n`);
  }

  #line(text: string): void {
    this.end();
    write(`${text}\n`);
  }
}

/** `RUNNING  [#########---------------------]  30 %  loading orders` */
function bar(state: Update): string {
  const done = isDone(state) ? 1 : state.progress ?? 0;
  const full = Math.round(done * WIDTH);
  return line({ ...state, status: `${state.status?.padEnd(9)} [${"#".repeat(full)}${"-".repeat(WIDTH - full)}]` });
}

/** ` 25.0 s  SDK 1         rebuild_index    handle  RUNNING    60 %  next: task_status, wait_seconds 25` */
function answerLine({ result, ...state }: Update, answer: Answer, { client, job, after }: Call): string {
  const time = `${(after / 1_000).toFixed(1).padStart(5)} s`;
  const what = result === undefined ? line(state) : JSON.stringify(result);
  return `${time}  ${client.padEnd(13)} ${job.padEnd(16)} ${answer.padEnd(7)} ${what}`;
}

/** `RUNNING   30 %  loading orders` */
function line({ status = "", progress, message }: Update): string {
  if (isDone({ status })) return status;
  const percent = Math.round((progress ?? 0) * 100);
  const done = percent === 0 ? "" : `${percent} %`;
  return `${status.padEnd(9)} ${done.padStart(4)}  ${message ?? ""}`.trimEnd();
}

function isDone({ status }: Update): boolean {
  return status?.toLowerCase() === "completed";
}

function write(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}
