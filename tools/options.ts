/**
 * The options of a command of this project, such as `deno task bench --backend kv --quick`.
 *
 * @module
 */
import { parseArgs } from "node:util";

/**
 * What an option takes, and its value where it is not given: `false` for one that takes nothing, a whole number, any text,
 * or a list of the texts that it may be, of which the first is the default.
 */
export type Option = false | number | string | readonly string[];

/** The values of options. */
export type Values<T> = {
  readonly [K in keyof T]: T[K] extends false ? boolean : T[K] extends number ? number : string;
};

/**
 * Reads the options that the command was given. `--help` shows which there are and ends the process; an argument that is not
 * among them, or a value that does not fit, is refused with exit code 2.
 */
export function readOptions<T extends Record<string, Option>>(options: T): Values<T> {
  if (Deno.args.includes("--help")) {
    console.log(usage(options));
    Deno.exit(0);
  }
  try {
    return parse(Deno.args, options);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    console.error(usage(options));
    Deno.exit(2);
  }
}

/** The values of the options. Throws `TypeError` for an argument that is not among them, and a value that does not fit. */
export function parse<T extends Record<string, Option>>(args: readonly string[], options: T): Values<T> {
  const types: Record<string, { type: "boolean" | "string" }> = {};
  for (const [name, option] of Object.entries(options)) types[name] = { type: option === false ? "boolean" : "string" };
  const { values } = parseArgs({ args: [...args], options: types });
  const read = Object.entries(options).map(([name, option]) => [name, valueOf(name, option, values[name])]);
  return Object.fromEntries(read) as Values<T>;
}

function valueOf(name: string, option: Option, given?: string | boolean): string | number | boolean | undefined {
  if (given === undefined) return typeof option === "object" ? option[0] : option;
  if (typeof option === "object" && !option.includes(String(given)) || typeof option === "number" && !isWhole(given)) {
    throw new TypeError(`Cannot use ${JSON.stringify(given)} as --${name}: it takes ${taken(option)}.`);
  }
  return typeof option === "number" ? Number(given) : given;
}

function isWhole(text: string | boolean): boolean {
  return /^\d{1,15}$/.test(String(text));
}

function taken(option: Option): string {
  if (typeof option === "object") return option.join("|");
  return typeof option === "number" ? "a whole number" : "a text";
}

/** All options in one line; each may be left out. */
export function usage(options: Record<string, Option>): string {
  const shown = Object.entries(options).map(([name, option]) => {
    if (option === false) return `[--${name}]`;
    return `[--${name} ${typeof option === "object" ? taken(option) : option || "TEXT"}]`;
  });
  return `Options, with their defaults: ${shown.join(" ")}`;
}
