/**
 * Which recorded step belongs to which call of the code. Nothing here reads or writes: it knows what was recorded before,
 * and follows the calls of the present run.
 *
 * Each step has a name, numbered if it repeats, and a place: how many steps were called before it. Code that calls one step
 * after the other calls the same steps at the same places in every run, so another name at a place means that the code has
 * changed. Only the names count from where the order is not fixed: where steps overlap, because their order depends on which
 * ends first, and after a step that failed in an earlier run, whose code continued in another way.
 *
 * @module
 */
import type { RecordedStep, StepInfo } from "../backend.ts";
import type { Json } from "../task.ts";

/** The most steps of a task. */
export const MAX_STEPS = 200;

interface Entry {
  /** Its full name: the names of the steps around it, its own name, and its number. */
  readonly name: string;
  /** How many steps were called before it in the same scope. */
  readonly place: number;
  /** The order of calls was not fixed when it was called, so its place means nothing. */
  readonly unordered?: true;
  /** When it was recorded, in ms since the epoch. */
  readonly at: number;
  readonly value: Json;
}

/** A call of a step, as this run makes it. */
export interface Call extends Omit<Entry, "at" | "value"> {
  readonly scope: Scope;
}

/** What becomes of a call: its result is recorded, another step is recorded at its place, or `call` is to run. */
export type Found =
  | { readonly kind: "recorded"; readonly value: Json }
  | { readonly kind: "other"; readonly name: string; readonly index: number }
  | { readonly kind: "new"; readonly call: Call };

/** The calls of the job's code, or of the code of one step. */
export class Scope {
  /** That of the job's code; absent if it is that itself. */
  readonly outermost?: Scope;
  readonly #path: string;
  readonly #times = new Map<string, number>();
  #calls = 0;
  #open = 0;
  #unordered = false;

  /** `path` is the full name of the step whose code it is, or empty. */
  constructor(path: string = "", outermost?: Scope) {
    this.#path = path;
    this.outermost = outermost;
  }

  /** Whether its code runs inside a step of this name. */
  isInside(name: string): boolean {
    return this.#path.split("##").some((outer) => outer.split("#")[0] === name);
  }

  /** A step or a question begins, which others may overlap with. */
  enter(): void {
    if (this.#open++ > 0) this.loosen();
  }

  /** From here on, the order of calls may differ from run to run. */
  loosen(): void {
    this.#unordered = true;
  }

  /** The step or question has ended. */
  leave(): void {
    this.#open--;
  }

  /** The code calls a step, which has entered. */
  call(name: string): Call {
    const times = (this.#times.get(name) ?? 0) + 1;
    this.#times.set(name, times);
    const numbered = times === 1 ? name : `${name}#${times}`;
    return {
      scope: this,
      name: this.#path === "" ? numbered : `${this.#path}##${numbered}`,
      place: this.#calls++,
      ...(this.#unordered && { unordered: true }),
    };
  }

  /** Whether a recorded step was called in this scope. */
  has(name: string): boolean {
    const at = name.lastIndexOf("##");
    return (at < 0 ? "" : name.slice(0, at)) === this.#path;
  }
}

/** What a task has recorded. */
export class RecordedSteps {
  readonly #entries: Map<number, Entry>;
  /** The numbers of steps that run, or were recorded by this run. */
  readonly #reserved = new Set<number>();

  constructor(steps: readonly RecordedStep[]) {
    this.#entries = new Map(steps.map(({ index, text }) => [index, JSON.parse(text)]));
  }

  /** Finds what belongs to a call. */
  find(call: Call): Found {
    const { scope, name, place, unordered } = call;
    const entries = [...this.#entries];
    const ordered = entries.filter(([, entry]) => !entry.unordered && scope.has(entry.name));
    const there = ordered.find(([, entry]) => entry.place === place);
    if (there && !unordered && there[1].name !== name) return { kind: "other", name: there[1].name, index: there[0] };
    const found = entries.find(([, entry]) => entry.name === name)?.[1];
    // An earlier run that has gone on without its result has caught its error.
    const failed = found === undefined && ordered.some(([, entry]) => entry.place > place);
    if (failed || found?.unordered) scope.loosen();
    if (found) return { kind: "recorded", value: found.value };
    return { kind: "new", call: failed ? { ...call, unordered: true } : call };
  }

  /** Reserves the lowest free number for a step that is to run; `undefined` if there are too many. */
  reserve(): number | undefined {
    for (let index = 0; index < MAX_STEPS; index++) {
      if (this.#entries.has(index) || this.#reserved.has(index)) continue;
      this.#reserved.add(index);
      return index;
    }
  }

  /** The step with this number was not recorded. */
  release(index: number): void {
    this.#reserved.delete(index);
  }

  /** Forgets the steps of earlier runs from a number on. */
  forget(from: number): void {
    for (const index of this.#entries.keys()) if (index >= from) this.#entries.delete(index);
  }
}

/** What an operator sees of a recorded step. */
export function stepInfoOf({ text }: RecordedStep): StepInfo {
  const { name, at }: Entry = JSON.parse(text);
  return { name, at };
}

/** What is to be recorded of a call that has run by now, in ms since the epoch; `json` is its result. */
export function recordOf({ name, place, unordered }: Call, json: string, index: number, now: number): RecordedStep {
  const about = JSON.stringify({ name, place, ...(unordered && { unordered }), at: now });
  return { index, text: `${about.slice(0, -1)},"value":${json}}` };
}
