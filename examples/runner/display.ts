/**
 * Shows what a client sees: one live bar on a terminal, plain lines elsewhere.
 *
 * @module
 */
import type { Update } from "../shared/update.ts";

const WIDTH = 30;

/** Shows the updates of one task. */
export class Display {
  readonly #live = Deno.stdout.isTerminal();
  #state: Update = {};
  #shown = "";

  /** Shows an update, unless nothing changed. */
  show({ result, resource, ...state }: Update): void {
    if (result !== undefined) return this.#line(`result    ${JSON.stringify(result)}`);
    if (resource !== undefined) return this.#line(`resource  ${resource.uri}`);
    const known = Object.entries(state).filter(([, value]) => value !== undefined);
    this.#state = { ...this.#state, ...Object.fromEntries(known) };
    const text = this.#live ? bar(this.#state) : line(this.#state);
    if (text === this.#shown) return;
    this.#shown = text;
    if (this.#live) write(`\r\x1b[K${text}`);
    else write(`${text}\n`);
  }

  /** Moves the terminal to a new line. */
  end(): void {
    if (this.#live && this.#shown !== "") write("\n");
    this.#shown = "";
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
