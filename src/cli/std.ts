/**
 * What the command line takes from `@std/cli`. Where JSR cannot be reached, as in a clone without network, node's own
 * parser stands in.
 *
 * @module
 */
import { parseArgs as nodeParseArgs } from "node:util";

/** How arguments are parsed: options with a text, options without one, and what an unknown option does. */
export interface ParseRules {
  /** The options that take a text. */
  readonly string: readonly string[];
  /** The options that take none. */
  readonly boolean: readonly string[];
  /** Called with each unknown option. */
  readonly unknown: (arg: string) => void;
}

/** Options by name, and under `_` the other arguments. */
export type Parsed = { readonly [option: string]: unknown } & { readonly _: readonly (string | number)[] };

interface StdCli {
  parseArgs(args: readonly string[], rules: object): Parsed;
  unicodeWidth(text: string): number;
}

const offline: StdCli = {
  parseArgs: (args, rules) => {
    const { string, boolean, unknown } = rules as ParseRules & {
      readonly unknown: (arg: string, key?: string) => void;
    };
    const options = Object.fromEntries([
      ...string.map((name) => [name, { type: "string" }] as const),
      ...boolean.map((name) => [name, { type: "boolean" }] as const),
    ]);
    const { values, positionals, tokens } = nodeParseArgs({
      args: [...args],
      options,
      strict: false,
      allowPositionals: true,
      tokens: true,
    });
    for (const token of tokens) {
      if (token.kind === "option" && !(token.name in options)) unknown(token.rawName, token.name);
    }
    return { ...values, _: positionals };
  },
  unicodeWidth: (text) => [...text].length,
};

const std: StdCli = await Promise.all([import("@std/cli/parse-args"), import("@std/cli/unicode-width")])
  .then(([args, width]): StdCli => ({ ...args, ...width }))
  .catch(() => offline); // Nobody has to know: the stand-in does the same for these rules.

export function parseArgs(args: readonly string[], { string, boolean, unknown }: ParseRules): Parsed {
  return std.parseArgs(args, {
    string: ["_", ...string], // Texts that look like numbers stay texts.
    boolean,
    unknown: (arg: string, key?: string) => {
      if (key === undefined) return true; // An argument that is no option.
      unknown(arg);
      return false;
    },
  });
}

/** How many columns of a terminal a text takes. */
export function widthOf(text: string): number {
  return std.unicodeWidth(text);
}
