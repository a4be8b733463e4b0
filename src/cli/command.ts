/**
 * What a command is, and what it gets when it runs.
 *
 * @module
 */
import type { Backend, Operator } from "../backend.ts";
import type { Output } from "./output.ts";

/** The user called the command line in a way that it does not understand; it exits with 2. */
export class UsageError extends Error {}

/** An option, and what its text means. An option without `takes` is a flag. */
export interface Option<T> {
  /** The placeholder of its value in the help, such as `NAME`. */
  readonly takes?: string;
  /** What it is for. */
  readonly about: string;
  /** Reads its text; `now` is the time in ms since the epoch. Throws `UsageError`. */
  read(text: string, now: number): T;
}

export type Options = { readonly [name: string]: Option<unknown> };

/** The values of options; `undefined` for those that were not passed. */
export type Values<O extends Options> = {
  readonly [name in keyof O]: O[name] extends Option<infer T> ? T | undefined : never;
};

export interface Call<O extends Options = Options> {
  readonly backend: Backend;
  readonly operator: Operator;
  /** The arguments that are no options, as `operands` of the command names them. */
  readonly operands: readonly string[];
  readonly options: Values<O>;
  readonly out: Output;
  /** Aborts when the user has seen enough (SIGINT, SIGTERM). */
  readonly signal: AbortSignal;
}

export interface Command {
  readonly name: string;
  /** What it does, in one line. */
  readonly about: string;
  /** Its arguments: `ID` must be passed, `[ID]` may be, and `ID...` stands for one or more. */
  readonly operands: readonly string[];
  /** Its options, besides those that all commands have. */
  readonly options: Options;
  /** Whether the store's tables are made or updated before it is opened. */
  readonly migrates?: true;
  /** Runs it. Resolves with the exit code; nothing means 0. */
  run(call: Call): Promise<number | void>;
}

/** Defines a command, whose options keep their types. */
export function command<O extends Options>(
  definition: Omit<Command, "run" | "options"> & {
    readonly options: O;
    run(call: Call<O>): Promise<number | void>;
  },
): Command {
  return { ...definition, run: (call) => definition.run({ ...call, options: call.options as Values<O> }) };
}

/** The first operand, which the command line ensures is there. */
export function first([operand = ""]: readonly string[]): string {
  return operand;
}
